// The touch keyboard and its strips. Keys are played with fingers, the mouse or the computer's
// keyboard. The place of a touch on the key is its velocity: soft at the top, loud at the end.

import { float } from "./osc.js";
import { send, set, value, watch } from "./link.js";
import { worded, word } from "./words.js";

const NAMES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
const BLACK = new Set([1, 3, 6, 8, 10]);
/** The computer's keys from C on, by their position on the keyboard. */
const TYPED = [
  "KeyA",
  "KeyW",
  "KeyS",
  "KeyE",
  "KeyD",
  "KeyF",
  "KeyT",
  "KeyG",
  "KeyY",
  "KeyH",
  "KeyU",
  "KeyJ",
  "KeyK",
];
const SOFTEST = 0.2;
const TYPED_VELOCITY = 0.75;
/** The narrowest white key, px, and most octaves. */
const NARROWEST = 44;
const MOST_OCTAVES = 4;

const keys = document.getElementById("keys");
const held = new Map();
let channel = 1;
let octave = Number(localStorage.getItem("octave") ?? 4);
let focused = 0;

/** Sets the channel that is played from now on, and releases the keys that are held. */
export function play(number) {
  releaseAll();
  channel = number;
  strip();
}

export function releaseAll() {
  for (const finger of [...held.keys()]) release(finger);
}

function note(key, velocity) {
  send(`/ch/${channel}/note`, key, velocity === 0 ? 0 : float(velocity));
}

function press(finger, key, velocity) {
  if (held.get(finger) === key) return;
  release(finger);
  const isHeld = [...held.values()].includes(key);
  held.set(finger, key);
  if (!isHeld) note(key, velocity);
  show(key, true);
}

function release(finger) {
  const key = held.get(finger);
  if (key === undefined) return;
  held.delete(finger);
  if ([...held.values()].includes(key)) return;
  note(key, 0);
  show(key, false);
}

function show(key, isDown) {
  keys.querySelector(`[data-key="${key}"]`)?.classList.toggle("down", isDown);
}

const nameOf = (key) => `${NAMES[key % 12]}${Math.floor(key / 12) - 1}`;

/** Draws as many octaves as there is room for. */
function draw() {
  releaseAll();
  const octaves = Math.min(
    MOST_OCTAVES,
    Math.max(1, Math.floor(keys.clientWidth / (NARROWEST * 7))),
  );
  const first = 12 * (Math.min(octave, 9 - octaves) + 1);
  const count = 12 * octaves + 1;
  const whites = 7 * octaves + 1;
  keys.style.setProperty("--whites", whites);
  keys.replaceChildren();
  let white = 0;
  for (let key = first; key < first + count && key < 128; key += 1) {
    const button = document.createElement("button");
    const isBlack = BLACK.has(key % 12);
    button.className = isBlack ? "black" : "white";
    button.dataset.key = key;
    button.tabIndex = key === first ? 0 : -1;
    button.setAttribute("aria-label", nameOf(key));
    if (key % 12 === 0) button.textContent = nameOf(key);
    button.style.setProperty("--at", isBlack ? white : white++);
    keys.append(button);
  }
  focused = 0;
  document.getElementById("octave").textContent = `C${octave}`;
}

function move(by) {
  octave = Math.max(0, Math.min(8, octave + by));
  localStorage.setItem("octave", octave);
  draw();
}

function touched(event) {
  const key = document
    .elementFromPoint(event.clientX, event.clientY)
    ?.closest?.("#keys [data-key]");
  if (!key) return release(event.pointerId);
  const box = key.getBoundingClientRect();
  const place = Math.max(0, Math.min(1, (event.clientY - box.top) / box.height));
  press(event.pointerId, Number(key.dataset.key), SOFTEST + (1 - SOFTEST) * place);
}

keys.addEventListener("pointerdown", (event) => {
  event.preventDefault();
  event.target.releasePointerCapture?.(event.pointerId);
  touched(event);
});
keys.addEventListener("pointermove", (event) => {
  if (held.has(event.pointerId) || event.buttons) touched(event);
});
for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
  keys.addEventListener(end, (event) => release(event.pointerId));
}
keys.addEventListener("contextmenu", (event) => event.preventDefault());

// With the computer's keyboard, arrows go from key to key, and space and enter play.
keys.addEventListener("keydown", (event) => {
  const all = [...keys.children];
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step) {
    all[focused].tabIndex = -1;
    focused = Math.max(0, Math.min(all.length - 1, focused + step));
    all[focused].tabIndex = 0;
    all[focused].focus();
    event.preventDefault();
  } else if ((event.key === " " || event.key === "Enter") && !event.repeat) {
    press("focus", Number(event.target.dataset.key), TYPED_VELOCITY);
    event.preventDefault();
  }
});
keys.addEventListener("keyup", () => release("focus"));
keys.addEventListener("focusout", () => release("focus"));

addEventListener("keydown", (event) => {
  const isText = event.target.closest?.("input[type=search], input:not([type]), select, dialog");
  const place = TYPED.indexOf(event.code);
  if (isText || place < 0 || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  press(event.code, 12 * (octave + 1) + place, TYPED_VELOCITY);
});
addEventListener("keyup", (event) => release(event.code));
addEventListener("blur", releaseAll);
document.getElementById("lower").onclick = () => move(-1);
document.getElementById("higher").onclick = () => move(1);
new ResizeObserver(draw).observe(keys);

const bend = document.getElementById("bend");
const wheel = document.getElementById("wheel");

function bent(share) {
  send(`/ch/${channel}/bend`, float(share));
  bend.style.setProperty("--at", (share + 1) / 2);
  bend.setAttribute("aria-valuenow", Math.round(share * 100));
}

function turned(to) {
  set(`/ch/${channel}/modulation`, Math.round(Math.max(0, Math.min(127, to))));
}

function strip() {
  const now = value(`/ch/${channel}/modulation`, 0);
  wheel.style.setProperty("--at", now / 127);
  wheel.setAttribute("aria-valuenow", now);
}

/** Follows a finger on a strip: 0 at its foot, 1 at its top. */
function follow(element, moved, ended) {
  const at = (event) => {
    const box = element.getBoundingClientRect();
    moved(Math.max(0, Math.min(1, 1 - (event.clientY - box.top) / box.height)));
  };
  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    at(event);
  });
  element.addEventListener("pointermove", (event) => {
    if (element.hasPointerCapture(event.pointerId)) at(event);
  });
  for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, ended);
}

follow(
  bend,
  (share) => bent(share * 2 - 1),
  () => bent(0),
);
follow(
  wheel,
  (share) => turned(share * 127),
  () => {},
);
bend.addEventListener("keydown", (event) => {
  const share = { ArrowUp: 0.5, ArrowDown: -0.5 }[event.key];
  if (share) {
    bent(share);
    event.preventDefault();
  }
});
bend.addEventListener("keyup", () => bent(0));
wheel.addEventListener("keydown", (event) => {
  const by = { ArrowUp: 8, ArrowDown: -8, PageUp: 32, PageDown: -32 }[event.key];
  if (by) {
    turned(value(`/ch/${channel}/modulation`, 0) + by);
    event.preventDefault();
  }
});
bend.style.setProperty("--at", 0.5);
for (let number = 1; number <= 16; number += 1) {
  watch(`/ch/${number}/modulation`, () => number === channel && strip());
}
worded(() => wheel.setAttribute("aria-label", word("wheel")));
