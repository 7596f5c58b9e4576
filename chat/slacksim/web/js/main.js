// Starts the page: who and where stand in the address, as #/USER/CHANNEL.
import { $ } from "./dom.js";
import { follow, onChange, store } from "./store.js";
import * as sidebar from "./sidebar.js";
import "./messages.js";
import * as composer from "./composer.js";
import * as modal from "./modal.js";
import "./tips.js";
import "./world.js";

const place = () => location.hash.match(/^#\/([^/]*)\/?([^/]*)$/) || [];
const [, user, channel] = place();

function wake() {
  $("app").dataset.ready = "true";
}

store.channel = channel || "";
sidebar.start();
composer.start();
modal.start();
onChange((what) => { if (what === "data") wake(); });
follow(user || "");
addEventListener("hashchange", () => location.reload());
if (matchMedia("(min-width: 821px)").matches) $("composer").focus();
