// What the current person sees, kept up to date by the server's event stream.

export const store = {
  user: "",        // who the page acts as
  channel: "",     // which channel is open
  tab: "messages", // or "home", in the app's direct message
  data: null,      // the last state: people, channels, views, home
  messages: {},    // by channel
  fixed: {},       // team, bot, commands, tips: do not change
};

const listeners = [];
let source = null;
let down = false;

export function onChange(f) { listeners.push(f); }
function tell(what) { for (const f of listeners) f(what); }

// follow opens the event stream of a person.
export function follow(user) {
  if (source) source.close();
  store.messages = {};
  const stream = new EventSource("/sim/events?user=" + encodeURIComponent(user));
  source = stream;
  stream.onmessage = (e) => {
    if (source !== stream) return;
    merge(JSON.parse(e.data));
    down = false;
    tell("data");
  };
  stream.onerror = () => {
    if (!down) { down = true; tell("down"); }
  };
}

function merge(data) {
  if (data.team) store.fixed = { team: data.team, bot: data.bot, commands: data.commands || [], tips: data.tips || [] };
  for (const c of data.channels) {
    if (c.messages) store.messages[c.id] = c.messages;
  }
  store.user = data.user;
  store.data = data;
}

export const person = (id) => store.data.people.find((p) => p.id === id);
export const me = () => person(store.user);
export const channel = (id) => store.data.channels.find((c) => c.id === id);

// author is who wrote a message: a person, the app, or Slack itself.
export function author(id) {
  const bot = store.fixed.bot;
  if (id === bot.UserID) return { id, name: bot.Name, app: true };
  if (id === "USLACKBOT") return { id, name: "Slackbot", app: true };
  return person(id) || { id, name: "Someone", handle: id };
}

// visit opens a channel, or a tab of the app's direct message.
export function visit(id, tab = "messages") {
  store.channel = id;
  store.tab = tab;
  history.replaceState(null, "", `#/${store.user}/${id}`);
  tell("visit");
}

// post asks the server for something on behalf of the current person.
export async function post(what, body) {
  try {
    const res = await fetch("/sim/" + what, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ user: store.user, ...body }),
    });
    if (!res.ok) return { ok: false, error: await res.text() };
    return await res.json();
  } catch {
    return { ok: false, error: "unreachable" };
  }
}

// explain says what an error of the app means for the person who acted.
export function explain(error) {
  if (error.startsWith("operation_timeout")) return "The app did not respond in time. It may still have done what you asked: look before you try again.";
  if (error.startsWith("dispatch_failed")) return "The app is not connected, so nothing happened. Try again later.";
  if (error.startsWith("trouble connecting")) return "We had some trouble connecting. Try again?";
  if (error.includes("not there")) return "That is no longer there.";
  if (error.startsWith("unreachable")) return "The practice workspace has stopped.";
  return error;
}
