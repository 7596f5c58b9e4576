package slacksim

import (
	"slices"
	"strings"
)

// Block is one Block Kit object as JSON decodes it. It is shared between
// copies of a message or view and must not be changed.
type Block = map[string]any

// Message is one message in a channel.
type Message struct {
	Channel, TS, ThreadTS string
	// Author is the user ID of a person, of the bot, or USLACKBOT for what
	// Slack itself says.
	Author   string
	Text     string
	Blocks   []Block
	Metadata map[string]any
	// OnlyFor is the one person who sees an ephemeral message.
	OnlyFor string
	// Edited is the time of the last edit, as a TS.
	Edited string
	// Command is set on the echo of a slash command that was answered in the channel.
	Command bool
}

// Ref names a message or a view as the target of a click. Block is needed only
// where two blocks have an element of the same action ID.
type Ref struct {
	Channel, TS string
	View        string
	Block       string
}

// Ref is the message as the target of a click.
func (m Message) Ref() Ref { return Ref{Channel: m.Channel, TS: m.TS} }

// Ephemeral reports whether only one person sees the message.
func (m Message) Ephemeral() bool { return m.OnlyFor != "" }

// Plain is all text of the message, the notification text first, one line for
// each piece.
func (m Message) Plain() string { return plain(m.Text, m.Blocks) }

// Actions are the action IDs of the message's elements, in order.
func (m Message) Actions() []string { return actionIDs(m.Blocks) }

// plain collects the words of blocks in reading order.
func plain(first string, blocks []Block) string {
	var lines []string
	if first != "" {
		lines = append(lines, first)
	}
	for _, b := range blocks {
		lines = collect(lines, b)
	}
	return strings.Join(lines, "\n")
}

// collect appends the words inside a decoded JSON value. Keys are visited in
// the order in which a reader meets them.
func collect(lines []string, v any) []string {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			lines = collect(lines, e)
		}
	case map[string]any:
		for _, key := range []string{"title", "label", "text", "fields", "elements", "rows", "accessory", "element", "hint", "options", "alt_text", "placeholder", "initial_value"} {
			switch inner := v[key].(type) {
			case string:
				lines = append(lines, inner)
			default:
				lines = collect(lines, inner)
			}
		}
	}
	return lines
}

// element is an interactive element and where it stands.
type element struct {
	block Block
	el    map[string]any
}

func (e element) id() string { return str(e.el, "action_id") }

// elements lists the interactive elements of blocks in order.
func elements(blocks []Block) []element {
	var all []element
	add := func(b Block, v any) {
		if el, ok := v.(map[string]any); ok && el["action_id"] != nil {
			all = append(all, element{b, el})
		}
	}
	for _, b := range blocks {
		add(b, b["accessory"])
		add(b, b["element"])
		if b["type"] == "actions" {
			for _, e := range list(b, "elements") {
				add(b, e)
			}
		}
	}
	return all
}

func actionIDs(blocks []Block) []string {
	var ids []string
	for _, e := range elements(blocks) {
		ids = append(ids, e.id())
	}
	return ids
}

func str(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

func list(m map[string]any, key string) []any {
	l, _ := m[key].([]any)
	return l
}

func object(m map[string]any, key string) map[string]any {
	o, _ := m[key].(map[string]any)
	return o
}

// wire is the message as the Web API shows it.
func (m Message) wire(o *Options, metadata bool) map[string]any {
	w := map[string]any{"type": "message", "user": m.Author, "text": m.Text, "ts": m.TS, "team": o.Team.ID}
	if m.Author == o.Bot.UserID {
		w["bot_id"] = o.Bot.BotID
		w["app_id"] = o.Bot.AppID
	}
	if m.Blocks != nil {
		w["blocks"] = m.Blocks
	}
	if m.ThreadTS != "" {
		w["thread_ts"] = m.ThreadTS
	}
	if m.Edited != "" {
		w["edited"] = map[string]any{"user": m.Author, "ts": m.Edited}
	}
	if metadata && m.Metadata != nil {
		w["metadata"] = m.Metadata
	}
	return w
}

// put adds a message at the end of its channel.
func (st *state) put(m Message) {
	st.messages[m.Channel] = append(st.messages[m.Channel], m)
	st.touch(m.Channel)
}

// find returns the place of a message in its channel, or -1.
func (st *state) find(channel, ts string) int {
	return slices.IndexFunc(st.messages[channel], func(m Message) bool { return m.TS == ts })
}

// replace puts a changed message in the place of the old one.
func (st *state) replace(i int, m Message) {
	l := slices.Clone(st.messages[m.Channel])
	l[i] = m
	st.messages[m.Channel] = l
	st.touch(m.Channel)
}

// remove deletes a message.
func (st *state) remove(channel string, i int) {
	st.messages[channel] = slices.Delete(slices.Clone(st.messages[channel]), i, i+1)
	st.touch(channel)
}

// touch marks a channel as changed.
func (st *state) touch(channel string) {
	st.rev++
	st.changes[channel] = st.rev
}
