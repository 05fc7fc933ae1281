// The sixteen parts, the faders of the chosen part, and the master. It only knows addresses.

import { float } from "./osc.js";
import { set, value, watch } from "./link.js";
import { dress, word, worded } from "./words.js";

export const DRUMS = 10;
/** The lowest level that a meter shows, dBFS. */
const FLOOR = -60;

const place = document.getElementById("parts");
let chosen = Number(localStorage.getItem("part") ?? 1);
let names = [];
let picked = () => {};
let learning = () => false;

/** The names of all programs. */
export function know(instruments) {
  names = instruments;
  for (let number = 1; number <= 16; number += 1) drawName(number);
  choose(chosen);
}

/**
 * `chose(number)` is called when another part is chosen. `learn(address)` is called before a
 * control is set, and returns whether it is to be learned instead.
 */
export function start(chose, learn) {
  picked = chose;
  learning = learn;
  choose(chosen);
}

/** The part that is chosen. */
export const current = () => chosen;

/** The name of a part. */
export const nameOf = (number) => value(`/ch/${number}/instrument`, "…");

// ---- the grid ----

const cells = [];
for (let number = 1; number <= 16; number += 1) {
  const cell = document.createElement("div");
  cell.className = "cell";
  cell.innerHTML = `<button class="pick"><b></b><strong></strong>
    <span class="meter" aria-hidden="true"><i></i></span></button>
    <button class="toggle mute" aria-pressed="false">M</button>
    <button class="toggle solo" aria-pressed="false">S</button>`;
  const [pick, mute, solo] = cell.querySelectorAll("button");
  pick.querySelector("b").textContent = number;
  pick.onclick = () => choose(number);
  toggle(mute, `/ch/${number}/mute`);
  toggle(solo, `/ch/${number}/solo`);
  place.append(cell);
  cells.push({ cell, pick, mute, solo, meter: cell.querySelector("i") });
  watch(`/ch/${number}/instrument`, () => drawName(number));
  watch(`/ch/${number}/program`, ([program]) => {
    cell.style.setProperty(
      "--hue",
      number === DRUMS ? 0 : (Math.floor(program / 8) * 23 + 165) % 360,
    );
  });
  watch(`/ch/${number}/meter`, ([dbfs]) => meter(cells[number - 1].meter, dbfs));
  watch(`/ch/${number}/notes`, ([notes]) => cell.classList.toggle("sounds", notes > 0));
}

function drawName(number) {
  const { pick, mute, solo } = cells[number - 1];
  const name = nameOf(number);
  pick.querySelector("strong").textContent = name;
  mute.setAttribute("aria-label", `${word("mute")} ${number}`);
  solo.setAttribute("aria-label", `${word("solo")} ${number}`);
  if (number === chosen) document.querySelector("#instrument strong").textContent = name;
}

worded(() => {
  for (let number = 1; number <= 16; number += 1) drawName(number);
});

/** Shows a level. */
function meter(bar, dbfs) {
  bar.style.clipPath = `inset(0 ${Math.max(0, Math.min(1, dbfs / FLOOR)) * 100}% 0 0)`;
}

// ---- switches and faders ----

/** Makes a switch of a button, for an address or for the address that a function returns. */
function toggle(button, address) {
  const at = () => (typeof address === "function" ? address() : address);
  button.onclick = () => {
    if (!learning(at())) set(at(), !value(at(), false));
  };
  const show = () => button.setAttribute("aria-pressed", String(value(at(), false)));
  if (typeof address === "string") watch(address, show);
  return show;
}

/** Makes a fader: a slider that shows its name and value. */
function fader(home, { name, min, max, step, address, shown, isFloat }) {
  const label = document.createElement("label");
  label.className = "fader";
  label.innerHTML = `<input type="range" min="${min}" max="${max}" step="${step}">
    <span data-word="${name}"></span><output></output>`;
  const input = label.querySelector("input");
  const at = () => (typeof address === "function" ? address() : address);
  const draw = (now) => {
    input.style.setProperty("--f", (now - min) / (max - min));
    label.querySelector("output").textContent = shown(now);
    input.setAttribute("aria-valuetext", shown(now));
  };
  let isHeld = false;
  input.addEventListener("pointerdown", (event) => {
    if (learning(at())) event.preventDefault();
    else isHeld = true;
  });
  for (const end of ["pointerup", "pointercancel", "change"]) {
    input.addEventListener(end, () => (isHeld = false));
  }
  input.oninput = () => {
    const now = Number(input.value);
    draw(now);
    set(at(), isFloat ? float(now) : now);
  };
  const show = () => {
    const now = value(at(), min);
    if (!isHeld) input.value = now;
    draw(Number(input.value));
  };
  home.append(label);
  dress(label);
  if (typeof address === "string") watch(address, show);
  worded(show);
  return show;
}

const decibels = (now) => `${now <= -60 ? "−∞" : now.toFixed(1).replace("-", "−")} dB`;
const share = (now) => `${Math.round((now / 127) * 100)} %`;
const side = (now) => {
  if (now === 64) return word("middle");
  const much = Math.round((Math.abs(now - 64) / 64) * 100);
  return `${much} % ${word(now < 64 ? "left" : "right")}`;
};
const of = (name) => () => `/ch/${chosen}/${name}`;

const faders = document.getElementById("faders");
const controller = { min: 0, max: 127, step: 1, shown: share };
const shown = [
  fader(faders, { ...controller, name: "volume", address: of("volume") }),
  fader(faders, { ...controller, name: "pan", address: of("pan"), shown: side }),
  fader(faders, { ...controller, name: "reverb", address: of("reverb") }),
  fader(faders, { ...controller, name: "chorus", address: of("chorus") }),
  fader(faders, {
    name: "gain",
    min: -60,
    max: 12,
    step: 0.5,
    address: of("gain"),
    shown: decibels,
    isFloat: true,
  }),
  fader(document.getElementById("morph-fader"), {
    name: "morph",
    min: 0,
    max: 1,
    step: 0.01,
    address: of("morph/amount"),
    isFloat: true,
    shown: (now) => `${Math.round(now * 100)} %`,
  }),
  toggle(document.getElementById("part-mute"), of("mute")),
  toggle(document.getElementById("part-solo"), of("solo")),
  () => {
    const program = value(`/ch/${chosen}/morph/program`, 0);
    document.querySelector("#morph-program strong").textContent = names[program] ?? "…";
  },
];

/** Shows one part. The touch keyboard plays it from now on. */
export function choose(number) {
  chosen = number;
  localStorage.setItem("part", number);
  cells.forEach(({ cell, pick }, index) => {
    cell.classList.toggle("chosen", index + 1 === number);
    pick.setAttribute("aria-pressed", String(index + 1 === number));
  });
  document
    .getElementById("part")
    .style.setProperty("--hue", cells[number - 1].cell.style.getPropertyValue("--hue") || 165);
  document.getElementById("part-number").textContent = number;
  document.getElementById("morph").hidden = number === DRUMS;
  drawName(number);
  for (const show of shown) show();
  picked(number);
}

const FOLLOWED = [
  "volume",
  "pan",
  "reverb",
  "chorus",
  "gain",
  "morph/amount",
  "morph/program",
  "mute",
  "solo",
  "program",
];
for (let number = 1; number <= 16; number += 1) {
  for (const name of FOLLOWED) {
    watch(`/ch/${number}/${name}`, () => {
      if (number !== chosen) return;
      for (const show of shown) show();
      document
        .getElementById("part")
        .style.setProperty("--hue", cells[number - 1].cell.style.getPropertyValue("--hue") || 165);
    });
  }
}

// ---- the master ----

fader(document.getElementById("master-fader"), {
  name: "master",
  min: -60,
  max: 12,
  step: 0.5,
  address: "/master/gain",
  shown: decibels,
  isFloat: true,
});
toggle(document.getElementById("master-mute"), "/master/mute");
const sum = document.getElementById("meter");
watch("/meter/master", ([peak, rms]) => {
  meter(sum.querySelector("i"), rms);
  sum.querySelector("b").hidden = peak <= FLOOR;
  sum.querySelector("b").style.left = `${Math.max(0, Math.min(1, 1 - peak / FLOOR)) * 100}%`;
  sum.setAttribute("aria-valuenow", Math.round(Math.max(FLOOR, Math.min(0, peak))));
});
