// The connection to the daemon: current values, changes, and requests. It is made again whenever
// it is lost.

import { decode, encode } from "./osc.js";

/** The time between two pings, and the longest wait for an answer, ms. */
const PING_MS = 1500;
const GONE_MS = 4000;
/** The time between two attempts to connect, at first and at most, ms. */
const RETRY_MS = [250, 2000];
/** The longest that an answer may take, ms. */
const ANSWER_MS = 20000;

/** The current value of every address: a list of arguments. */
export const values = new Map();
const watchers = new Map();
const waiting = [];
const moved = new Map();
const told = { state: () => {}, changed: () => {}, message: () => {} };

let socket = null;
let heard = 0;
let retry = RETRY_MS[0];
let timer = 0;

/** Calls `told(args)` now, if the value is known, and whenever it changes. */
export function watch(address, told) {
  if (!watchers.has(address)) watchers.set(address, new Set());
  watchers.get(address).add(told);
  if (values.has(address)) told(values.get(address));
}

/** The first argument of an address now, or `other` if it is not known. */
export const value = (address, other) => (values.get(address) ?? [other])[0];

/** Sends a message at once. */
export function send(address, ...args) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(encode(address, args));
}

/** Sets a value here and in the daemon. Only the last one in a frame of the screen is sent. */
export function set(address, arg) {
  store(address, [typeof arg === "object" ? arg.float : arg]);
  if (moved.size === 0) {
    requestAnimationFrame(() => {
      for (const [to, last] of moved) send(to, last);
      moved.clear();
    });
  }
  moved.set(address, arg);
}

/**
 * Sends a request and waits for the answer. Returns its arguments, or throws the error message of
 * the daemon if the request is refused.
 */
export function ask(address, ...args) {
  return new Promise((resolve, reject) => {
    const entry = { address, resolve, reject, until: Date.now() + ANSWER_MS };
    waiting.push(entry);
    send(address, ...args);
    // When a ping is answered, everything before it is done. A request without an answer of its own
    // has succeeded then.
    entry.token = Math.floor(Math.random() * 0x7fffffff);
    send("/ping", entry.token);
  });
}

/**
 * The functions that are called when the connection changes (`online` or `offline`), when a part of
 * the tree changes, and for other messages.
 */
export function tell(who) {
  Object.assign(told, who);
}

function store(address, args) {
  values.set(address, args);
  for (const watcher of watchers.get(address) ?? []) watcher(args);
}

function settle(entry, done) {
  waiting.splice(waiting.indexOf(entry), 1);
  done();
}

function received(address, args) {
  if (address === "/error") {
    const [about, , text] = args;
    const entry = waiting.find((entry) => entry.address === about);
    if (entry) settle(entry, () => entry.reject(new Error(text)));
    else told.message(address, args);
    return;
  }
  if (address === "/ping") {
    const entry = waiting.find((entry) => entry.token === args[0]);
    if (entry) settle(entry, () => entry.resolve([]));
    return;
  }
  const entry = waiting.find((entry) => entry.address === address);
  if (entry) settle(entry, () => entry.resolve(args));
  if (watchers.has(address) || /^\/(ch|master|engine|meter|reverb|chorus|record)\b/.test(address)) {
    store(address, args);
  }
  told.message(address, args);
}

/** Connects, and connects again whenever the connection is lost. */
export function connect() {
  clearTimeout(timer);
  socket?.close();
  const url = new URL("/", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const own = new WebSocket(url);
  socket = own;
  own.binaryType = "arraybuffer";
  heard = Date.now();
  own.onopen = () => {
    if (own !== socket) return;
    retry = RETRY_MS[0];
    own.send(JSON.stringify({ COMMAND: "LISTEN", DATA: "/" }));
    told.state("online");
  };
  own.onmessage = ({ data }) => {
    if (own !== socket) return;
    heard = Date.now();
    if (typeof data === "string") {
      const { COMMAND, DATA } = JSON.parse(data);
      if (COMMAND === "PATH_CHANGED") told.changed(DATA);
      return;
    }
    decode(new Uint8Array(data), received);
  };
  own.onclose = () => {
    if (own !== socket) return;
    socket = null;
    told.state("offline");
    for (const entry of [...waiting]) settle(entry, () => entry.reject(new Error("")));
    timer = setTimeout(connect, retry);
    retry = Math.min(retry * 2, RETRY_MS[1]);
  };
}

setInterval(() => {
  for (const entry of waiting.filter((entry) => entry.until < Date.now())) {
    settle(entry, () => entry.reject(new Error("")));
  }
  if (socket?.readyState === WebSocket.OPEN && Date.now() - heard > GONE_MS) {
    // A network does not report that it is lost, so the daemon is asked from time to time.
    const gone = socket;
    gone.close();
    gone.onclose();
  } else {
    send("/ping");
  }
}, PING_MS);

const hurry = () => {
  if (document.visibilityState === "visible" && socket === null) connect();
};
addEventListener("online", hurry);
document.addEventListener("visibilitychange", hurry);
