// Connects many clients that subscribe to everything, while everything changes and sixteen channels
// play: load.mjs TIMBRED [SECONDS] [CLIENTS] [CHANGES_HZ]. One more client reads nothing, and must
// be disconnected.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { encode, Message } from 'node-osc';
import WebSocket from 'ws';
import { Daemon, until } from './daemon.mjs';

const [program, seconds = '60', clients = '50', hz = '1000'] = process.argv.slice(2);
const DROPPED_MS = 5000;
const MORE_KB = 8000;
const TICK_MS = 10;
/** Gaps a second that a machine may make beside those that it makes without any client. */
const MORE_GAPS_HZ = Number(process.env.MORE_GAPS_HZ ?? 0);

const daemon = await new Daemon(program).start();
const udp = createSocket('udp4');
const send = (address, ...args) => udp.send(encode(new Message(address, ...args)), daemon.osc);
const status = () => JSON.parse(daemon.control('--json', 'status'));
const float = (value) => ({ type: 'float', value });

/** Sixteen channels that play chords for ever. */
let beat = 0;
const music = setInterval(() => {
  const channel = (beat % 16) + 1;
  for (const key of [0, 4, 7]) {
    const note = 40 + ((beat * 5) % 36) + key;
    send(`/ch/${channel}/note`, note, 80);
    setTimeout(() => send(`/ch/${channel}/note`, note, 0), 900);
  }
  beat += 1;
}, 125);

/**
 * Steps through the values of everything that can be moved without changing how much there is to
 * do.
 */
const MOVED = [
  'gain',
  'volume',
  'pan',
  'reverb',
  'chorus',
  'brightness',
  'morph/amount',
  'expression',
];
let changes = 0;
function change() {
  const name = MOVED[changes % MOVED.length];
  const channel = (Math.floor(changes / MOVED.length) % 16) + 1;
  const place = changes % 97;
  const value =
    name === 'gain' ? float(-place / 10) : name === 'morph/amount' ? float(place / 97) : 30 + place;
  send(`/ch/${channel}/${name}`, value);
  changes += 1;
}

try {
  await sleep(3000);
  const quiet = status();
  const quietSeconds = Math.min(10, Number(seconds) / 3);
  await sleep(quietSeconds * 1000);
  const before = status();
  const quietHz = (before.underruns - quiet.underruns) / quietSeconds;

  let [frames, bytes] = [0, 0];
  const sockets = Array.from({ length: Number(clients) }, () => {
    const socket = new WebSocket(`ws://127.0.0.1:${daemon.http}/`, { perMessageDeflate: false });
    socket.on('open', () => socket.send('{"COMMAND":"LISTEN","DATA":"/"}'));
    socket.on('message', (data) => {
      frames += 1;
      bytes += data.length;
    });
    return socket;
  });
  await until('all clients', () => sockets.every((socket) => socket.readyState === WebSocket.OPEN));

  const begun = performance.now();
  const pump = setInterval(() => {
    const due = ((performance.now() - begun) / 1000) * Number(hz);
    while (changes < due) change();
  }, TICK_MS);
  await sleep(1000);
  const memoryKb = daemon.memoryKb();

  // This client reads nothing, not even the answer to its handshake.
  const deaf = connect(daemon.http, '127.0.0.1');
  deaf.pause();
  deaf.on('error', () => {});
  const key = Buffer.from('0123456789abcdef').toString('base64');
  deaf.write(
    `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  await sleep(200);
  const text = Buffer.from('{"COMMAND":"LISTEN","DATA":"/"}');
  deaf.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
  const deafSince = performance.now();
  await until(
    'the end of who reads nothing',
    () => daemon.log.includes('is dropped: it'),
    DROPPED_MS,
  );
  const droppedS = (performance.now() - deafSince) / 1000;
  deaf.destroy();

  await sleep(Math.max(0, Number(seconds) * 1000 - (performance.now() - begun)));
  const grownKb = daemon.memoryKb() - memoryKb;
  clearInterval(pump);
  const took = (performance.now() - begun) / 1000;
  const after = status();
  const open = sockets.filter((socket) => socket.readyState === WebSocket.OPEN).length;
  const gaps = after.underruns - before.underruns;
  console.log(
    `${open} clients, ${(changes / took).toFixed(0)} changes/s for ${took.toFixed(0)} s: ` +
      `${(frames / took).toFixed(0)} frames/s, ${(bytes / took / 1e6).toFixed(2)} MB/s, load ${after.load}, ` +
      `${gaps} underruns (${quietHz.toFixed(2)}/s without clients), memory ${memoryKb} kB + ${grownKb} kB, ` +
      `who reads nothing dropped after ${droppedS.toFixed(1)} s`,
  );
  assert.equal(open, Number(clients), daemon.log);
  assert.ok(changes / took > 0.9 * Number(hz));
  assert.ok(grownKb < MORE_KB, 'memory grows');
  assert.ok(gaps <= (quietHz + MORE_GAPS_HZ) * took, 'the sound has gaps');
  assert.ok(!daemon.log.includes('panicked'), daemon.log);
  for (const socket of sockets) socket.terminate();
} finally {
  clearInterval(music);
  await daemon.end();
}
process.exit(0);
