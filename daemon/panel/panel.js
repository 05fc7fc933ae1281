// The page: everything that does not belong to one part, and the connections between the modules.

import { ask, connect, send, tell, watch } from "./link.js";
import { play, releaseAll } from "./keyboard.js";
import { start } from "./parts.js";
import { drawPresets, learnInstruments, partChosen, rate, toast } from "./sheets.js";
import { dress, word } from "./words.js";

const by = (id) => document.getElementById(id);
/** What a MIDI controller can be taught to set. Everything else has a controller of its own. */
const LEARNABLE = /^\/(ch\/\d+\/(gain|mute|solo|morph\/amount)|master\/(gain|mute))$/;

dress(document);

// ---- figures ----

watch("/engine/latency_ms", ([ms]) => (by("latency").textContent = `${Math.round(ms)} ms`));
watch("/engine/load", ([load]) => {
  by("load").textContent = `${Math.round(load * 100)} %`;
  by("load").classList.toggle("bad", load >= 1);
});
let gaps = null;
watch("/engine/underruns", ([count]) => {
  by("gaps").textContent = count;
  by("gaps").classList.toggle("bad", gaps !== null && count > gaps);
  gaps = count;
});

// ---- panic and learn ----

by("panic").onclick = () => {
  releaseAll();
  send("/panic");
};
let isLearning = false;
function learnMode(on) {
  isLearning = on;
  by("learn").setAttribute("aria-pressed", String(on));
  document.body.classList.toggle("learning", on);
  if (on) toast(word("learnHint"));
}
by("learn").onclick = () => learnMode(!isLearning);

/**
 * While the page learns, the next MIDI controller that moves gets the control that was touched. The
 * control is not set then.
 */
function learn(address) {
  if (!isLearning) return false;
  if (!LEARNABLE.test(address)) {
    toast(word("learnNot"));
    return true;
  }
  learnMode(false);
  ask("/midi/learn", address).then(
    () => toast(word("learnMove")),
    (e) => toast(e.message),
  );
  return true;
}
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && isLearning) learnMode(false);
});

// ---- the connection ----

let wasOnline = false;
tell({
  state(state) {
    const isOnline = state === "online";
    document.body.classList.toggle("online", isOnline);
    by("offline").hidden = isOnline || !wasOnline;
    if (isOnline) {
      if (wasOnline) toast(word("online"));
      wasOnline = true;
      learnInstruments().catch(() => {});
      drawPresets();
    } else {
      releaseAll();
      if (!wasOnline) by("offline").hidden = false;
    }
  },
  changed(path) {
    if (path === "/engine/instruments") rate().catch(() => {});
    if (path === "/preset") drawPresets();
  },
  message(address, args) {
    if (address === "/error") toast(args[2]);
    if (address === "/midi/learn" && args.length === 3) toast(word("learned", args[2], args[1]));
  },
});

start((number) => {
  play(number);
  partChosen();
}, learn);
connect();
