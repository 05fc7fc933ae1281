// The sheets that open over the page: instruments, presets, recordings and display.

import { ask, set, value, watch } from "./link.js";
import { DRUMS, current, know } from "./parts.js";
import { dress, speak, spoken, word } from "./words.js";

const by = (id) => document.getElementById(id);
const RATINGS = ["good", "fair", "poor", "unrated"];

let instruments = [];
let kits = [];
let ratings = [];
let toastTimer = 0;

/** Shows a message for a moment. Screen readers read it aloud. */
export function toast(text) {
  if (!text) return;
  clearTimeout(toastTimer);
  // It must be shown again to lie over everything that was opened after it.
  by("toast").hidePopover();
  by("toast").showPopover();
  by("toast").textContent = text;
  toastTimer = setTimeout(() => by("toast").hidePopover(), 4000);
}

const failed = (error) => toast(error.message);

for (const dialog of document.querySelectorAll("dialog")) {
  dialog.querySelector(".close").onclick = () => dialog.close();
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}

function item(list, html) {
  const line = document.createElement("li");
  line.innerHTML = html;
  list.append(line);
  return line;
}

// ---- instruments ----

/** Asks for the names of all programs and drum kits, and how well the model plays programs. */
export async function learnInstruments() {
  const names = async (part) =>
    (await (await fetch(`/ch/${part}/instrument?RANGE`)).json()).RANGE[0].VALS;
  [instruments, kits] = [await names(1), await names(DRUMS)];
  know(instruments);
  await rate();
}

/** How well the current model plays each program. */
export async function rate() {
  ratings = await ask("/engine/instruments");
  drawRating();
  if (by("instruments").open) drawFound();
}

/** The word for how well a program sounds, and its CSS class. Kits are not rated. */
function rating(program) {
  if (current() === DRUMS) return ["", "unrated"];
  const said = ratings[program];
  if (typeof said === "number") return [word("instead", instruments[said]), "poor"];
  return RATINGS.includes(said) ? [word(said), said] : ["", "unrated"];
}

function drawRating() {
  const [text, kind] = rating(value(`/ch/${current()}/program`, 0));
  const shown = document.querySelector("#instrument em");
  shown.textContent = text;
  shown.className = kind;
}
for (let number = 1; number <= 16; number += 1) watch(`/ch/${number}/program`, drawRating);

let wanted = "program";

function drawFound() {
  const parts = by("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const drums = current() === DRUMS;
  const now = value(`/ch/${current()}/${drums ? "instrument" : wanted}`, -1);
  by("found").replaceChildren();
  (drums ? kits : instruments).forEach((name, program) => {
    const text = (drums ? name : `${program + 1} ${name}`).toLowerCase();
    if (!parts.every((part) => text.includes(part))) return;
    const [said, kind] = rating(program);
    const button = item(by("found"), "<button><b></b><span></span><em></em></button>").firstChild;
    button.children[0].textContent = drums ? "" : program + 1;
    button.children[1].textContent = name;
    button.children[2].textContent = said;
    button.children[2].className = kind;
    button.setAttribute("aria-current", String((drums ? name : program) === now));
    button.onclick = () => {
      if (drums) set(`/ch/${DRUMS}/instrument`, name);
      else set(`/ch/${current()}/${wanted}`, program);
      by("instruments").close();
    };
  });
  if (!by("found").children.length) item(by("found"), "").textContent = word("nothing");
}

function openInstruments(name) {
  wanted = name;
  by("search").value = "";
  by("search").placeholder = word("search");
  by("instruments").showModal();
  drawFound();
  by("found").querySelector("[aria-current=true]")?.scrollIntoView({ block: "center" });
}

by("search").oninput = drawFound;
by("search").onkeydown = (event) => {
  if (event.key !== "Enter") return;
  // Otherwise the button that gets the focus when this closes would take the key, too.
  event.preventDefault();
  by("found").querySelector("button")?.click();
};
by("instrument").onclick = () => openInstruments("program");
by("morph-program").onclick = () => openInstruments("morph/program");
/** Takes that another part is chosen. */
export const partChosen = drawRating;

// ---- presets ----

export async function drawPresets() {
  if (!by("presets").open) return;
  const names = await ask("/preset/list").catch(() => null);
  if (names === null) return;
  const list = by("preset-list");
  list.replaceChildren();
  if (!names.length) item(list, "").textContent = word("noPresets");
  for (const name of names) {
    const line = item(list, `<button class="wide"></button><button data-word="delete"></button>`);
    const [load, remove] = line.children;
    dress(line);
    load.textContent = name;
    remove.setAttribute("aria-label", `${word("delete")} ${name}`);
    load.onclick = () => ask("/preset/load", name).then(() => toast(word("loaded", name)), failed);
    // It takes two touches, because a finger may slip.
    remove.onclick = () => {
      if (!remove.classList.toggle("sure")) {
        ask("/preset/delete", name)
          .then(() => toast(word("deleted", name)), failed)
          .then(drawPresets);
      }
      remove.textContent = word("sure");
    };
  }
}

by("open-presets").onclick = () => {
  by("preset-name").placeholder = word("name");
  by("presets").showModal();
  drawPresets();
};
by("save").onsubmit = (event) => {
  event.preventDefault();
  const name = by("preset-name").value.trim();
  ask("/preset/save", name)
    .then(() => {
      toast(word("saved", name));
      by("preset-name").value = "";
    }, failed)
    .then(drawPresets);
};
const step = (address) => () => {
  ask(address).then(([name]) => toast(word("loaded", name)), failed);
};
by("previous").onclick = step("/preset/prev");
by("next").onclick = step("/preset/next");

// ---- recordings ----

const size = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

async function drawRecordings() {
  const found = await fetch("/recordings").then(
    (answer) => answer.json(),
    () => [],
  );
  const list = by("recording-list");
  list.replaceChildren();
  if (!found.length) item(list, "").textContent = word("noRecordings");
  for (const { name, bytes, midi } of found) {
    const line = item(list, `<span class="wide"><strong></strong><small></small></span>`);
    line.querySelector("strong").textContent = name.replace(/\.wav$/, "");
    line.querySelector("small").textContent = size(bytes);
    for (const [file, kind] of [
      [name, "wav"],
      [midi, "midi"],
    ]) {
      if (!file) continue;
      const link = document.createElement("a");
      link.href = `/recordings/${encodeURIComponent(file)}`;
      link.download = file;
      link.textContent = word(kind);
      link.setAttribute("aria-label", `${word(kind)} ${file}`);
      line.append(link);
    }
  }
}

by("open-recordings").onclick = () => {
  by("recordings").showModal();
  drawRecordings();
};

let since = 0;
function drawRecord() {
  const state = String(value("/record", "off"));
  const isOn = state.startsWith("on ");
  if (isOn && !since) since = Date.now();
  if (!isOn) since = 0;
  by("record").setAttribute("aria-pressed", String(isOn));
  const seconds = Math.floor((Date.now() - since) / 1000);
  const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  by("record-text").textContent = isOn ? time : word("record");
  by("record").setAttribute("aria-label", word(isOn ? "stop" : "record"));
}
watch("/record", ([state]) => {
  drawRecord();
  if (String(state).startsWith("failed ")) toast(word("failed", state.slice(7)));
});
setInterval(drawRecord, 500);
by("record").onclick = () => {
  if (by("record").getAttribute("aria-pressed") === "true") {
    ask("/record/stop").then(([file]) => {
      toast(word("recorded", String(file).split("/").pop()));
      if (!by("recordings").open) by("open-recordings").click();
    }, failed);
  } else {
    ask("/record/start").catch(failed);
  }
};

// ---- display ----

const isLight = matchMedia("(prefers-color-scheme: light)");
by("theme").value = localStorage.getItem("theme") ?? "auto";

/** Sets dark or light, as chosen, or else as the system is set. */
function paint() {
  const wanted = by("theme").value;
  const system = isLight.matches ? "light" : "dark";
  document.documentElement.dataset.theme = wanted === "auto" ? system : wanted;
  localStorage.setItem("theme", wanted);
}
paint();
isLight.onchange = paint;
by("theme").onchange = paint;
by("language").value = spoken();
by("language").onchange = () => {
  speak(by("language").value);
  drawRecord();
  drawRating();
};
by("open-settings").onclick = () => by("settings").showModal();
watch("/engine/model", ([name]) => (by("model").textContent = name));
