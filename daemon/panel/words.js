// The texts of the page in English and German. Elements name their texts in the attributes
// data-word, data-label (read aloud) and data-hint.

const ENGLISH = {
  title: "timbred",
  panic: "Panic",
  panicHint: "Silence, all keys and pedals up",
  record: "Record",
  stop: "Stop",
  recordings: "Recordings",
  presets: "Presets",
  settings: "Display",
  latency: "Latency",
  load: "Load",
  gaps: "Gaps",
  level: "Level",
  master: "Master",
  muted: "Mute all",
  parts: "Parts",
  part: "Part",
  instrument: "Instrument",
  volume: "Volume",
  pan: "Pan",
  reverb: "Reverb",
  chorus: "Chorus",
  gain: "Gain",
  morph: "Morph",
  morphInto: "Morph into",
  mute: "Mute",
  solo: "Solo",
  learn: "Learn",
  learnHint: "Tap what a knob is to set: gain, morph, mute, solo or master",
  learnMove: "Now move a knob or fader of your keyboard",
  learned: "Controller {0} of channel {1} sets it from now on",
  learnNot: "This one follows its own MIDI controller already",
  keyboard: "Keyboard",
  lower: "Octave down",
  higher: "Octave up",
  bend: "Bend",
  wheel: "Wheel",
  search: "Search instruments",
  good: "good",
  fair: "fair",
  poor: "poor",
  unrated: "not rated",
  instead: "plays {0}",
  nothing: "Nothing has this name.",
  close: "Close",
  load_: "Load",
  delete: "Delete",
  save: "Save",
  name: "Name",
  previous: "Previous",
  next: "Next",
  noPresets: "No presets yet. Give a name and save what is set now.",
  noRecordings: "No recordings yet.",
  wav: "Sound (WAV)",
  midi: "Notes (MIDI)",
  saved: "Saved: {0}",
  loaded: "Loaded: {0}",
  deleted: "Deleted: {0}",
  recorded: "Recorded: {0}",
  failed: "The recording failed: {0}",
  offline: "No connection. Looking for timbred …",
  online: "Connected",
  theme: "Colours",
  auto: "As the system",
  dark: "Dark",
  light: "Light",
  language: "Language",
  model: "Model",
  left: "left",
  right: "right",
  middle: "middle",
  sure: "Again to delete",
};

const GERMAN = {
  title: "timbred",
  panic: "Panik",
  panicHint: "Stille, alle Tasten und Pedale los",
  record: "Aufnahme",
  stop: "Stopp",
  recordings: "Aufnahmen",
  presets: "Presets",
  settings: "Anzeige",
  latency: "Latenz",
  load: "Last",
  gaps: "Lücken",
  level: "Pegel",
  master: "Summe",
  muted: "Alles stumm",
  parts: "Stimmen",
  part: "Stimme",
  instrument: "Instrument",
  volume: "Lautstärke",
  pan: "Panorama",
  reverb: "Hall",
  chorus: "Chorus",
  gain: "Pegel",
  morph: "Morph",
  morphInto: "Morph zu",
  mute: "Stumm",
  solo: "Solo",
  learn: "Lernen",
  learnHint: "Antippen, was ein Regler stellen soll: Pegel, Morph, Stumm, Solo oder Summe",
  learnMove: "Jetzt einen Regler am Keyboard bewegen",
  learned: "Controller {0} auf Kanal {1} stellt das von jetzt an",
  learnNot: "Das folgt schon seinem eigenen MIDI-Controller",
  keyboard: "Klaviatur",
  lower: "Oktave tiefer",
  higher: "Oktave höher",
  bend: "Bend",
  wheel: "Rad",
  search: "Instrument suchen",
  good: "gut",
  fair: "mittel",
  poor: "schwach",
  unrated: "unbewertet",
  instead: "spielt {0}",
  nothing: "Nichts heißt so.",
  close: "Schließen",
  load_: "Laden",
  delete: "Löschen",
  save: "Sichern",
  name: "Name",
  previous: "Voriges",
  next: "Nächstes",
  noPresets: "Noch keine Presets. Name eingeben und sichern, was jetzt eingestellt ist.",
  noRecordings: "Noch keine Aufnahmen.",
  wav: "Klang (WAV)",
  midi: "Noten (MIDI)",
  saved: "Gesichert: {0}",
  loaded: "Geladen: {0}",
  deleted: "Gelöscht: {0}",
  recorded: "Aufgenommen: {0}",
  failed: "Die Aufnahme ist gescheitert: {0}",
  offline: "Keine Verbindung. Suche timbred …",
  online: "Verbunden",
  theme: "Farben",
  auto: "Wie das System",
  dark: "Dunkel",
  light: "Hell",
  language: "Sprache",
  model: "Modell",
  left: "links",
  right: "rechts",
  middle: "Mitte",
  sure: "Nochmal zum Löschen",
};

const ALL = { en: ENGLISH, de: GERMAN };
const told = new Set();
let language = localStorage.getItem("language") ?? navigator.language.slice(0, 2);

/** The text with this name, with values in place of {0} and {1}. */
export function word(name, ...args) {
  const words = (ALL[language] ?? ENGLISH)[name];
  return args.reduce((text, arg, place) => text.replace(`{${place}}`, arg), words);
}

/** Calls `again` now and whenever the language changes. */
export function worded(again) {
  told.add(again);
  again();
}

/** Changes the language, which is given by its two letters. */
export function speak(other) {
  language = ALL[other] ? other : "en";
  localStorage.setItem("language", language);
  dress(document);
  for (const again of told) again();
}

/** The current language. */
export const spoken = () => (ALL[language] ? language : "en");

/** Puts the texts into all elements below this one that name a text. */
export function dress(root) {
  document.documentElement.lang = spoken();
  for (const element of root.querySelectorAll("[data-word]")) {
    element.textContent = word(element.dataset.word);
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", word(element.dataset.label));
  }
  for (const element of root.querySelectorAll("[data-hint]")) {
    element.title = word(element.dataset.hint);
  }
}
