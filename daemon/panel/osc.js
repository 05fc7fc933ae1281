// OSC packets: converts bytes to messages and back. It knows no socket.

const text = new TextEncoder();
const read = new TextDecoder();

/** The bytes of a text, ended by a zero and filled to a multiple of four. */
function padded(value) {
  const bytes = text.encode(value);
  const out = new Uint8Array((bytes.length >> 2) * 4 + 4);
  out.set(bytes);
  return out;
}

/** Marks a number that has to be sent as a float. */
export const float = (value) => ({ float: value });

/**
 * A message as a packet: whole numbers go as i, others and `float` as f, texts as s, switches as T
 * and F.
 */
export function encode(address, args) {
  let tags = ",";
  const parts = [];
  for (const arg of args) {
    if (typeof arg === "boolean") {
      tags += arg ? "T" : "F";
    } else if (typeof arg === "string") {
      tags += "s";
      parts.push(padded(arg));
    } else {
      const value = typeof arg === "object" ? arg.float : arg;
      const isWhole = typeof arg === "number" && Number.isInteger(arg);
      const bytes = new Uint8Array(4);
      const view = new DataView(bytes.buffer);
      if (isWhole) view.setInt32(0, value);
      else view.setFloat32(0, value);
      tags += isWhole ? "i" : "f";
      parts.push(bytes);
    }
  }
  const all = [padded(address), padded(tags), ...parts];
  const packet = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of all) {
    packet.set(part, at);
    at += part.length;
  }
  return packet;
}

/** Calls `message(address, args)` for each message of a packet that can be read. */
export function decode(bytes, message) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const word = () => {
    let end = at;
    while (end < bytes.length && bytes[end] !== 0) end += 1;
    const value = read.decode(bytes.subarray(at, end));
    at = ((end >> 2) + 1) * 4;
    return value;
  };
  const address = word();
  if (address === "#bundle") {
    for (at = 16; at + 4 <= bytes.length;) {
      const size = view.getUint32(at);
      decode(bytes.subarray(at + 4, at + 4 + size), message);
      at += 4 + size;
    }
    return;
  }
  const args = [];
  for (const tag of word().slice(1)) {
    if (tag === "T" || tag === "F") {
      args.push(tag === "T");
    } else if (tag === "s") {
      args.push(word());
    } else if (tag === "i" || tag === "f") {
      if (at + 4 > bytes.length) return;
      args.push(tag === "i" ? view.getInt32(at) : view.getFloat32(at));
      at += 4;
    } else if (tag === "h" || tag === "d") {
      if (at + 8 > bytes.length) return;
      args.push(tag === "h" ? Number(view.getBigInt64(at)) : view.getFloat64(at));
      at += 8;
    } else {
      return;
    }
  }
  message(address, args);
}
