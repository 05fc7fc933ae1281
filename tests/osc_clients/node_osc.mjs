// Tests the daemon with node-osc: node_osc.mjs PORT. Ends with 0 if every answer is right. Run by
// tests/tests/osc_clients.rs; it knows only the port of the daemon.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Bundle, Client, Server, decode } from 'node-osc';

const LONG_MS = 10_000;
const daemon = Number(process.argv[2]);

/** A client that hears the answers: node-osc's own sends only. */
class Peer extends Client {
  constructor() {
    super('127.0.0.1', daemon);
    this.inbox = [];
    this.token = 0;
    this._sock.on('message', (bytes) => {
      const message = decode(bytes);
      this.inbox.push([message.address, ...message.args.map((arg) => arg.value)]);
    });
  }

  /** The next message, undefined when none comes in time. */
  async next(ms = LONG_MS) {
    for (let waited = 0; this.inbox.length === 0 && waited < ms; waited += 5) await sleep(5);
    return this.inbox.shift();
  }

  /** Everything that comes until the daemon has done all that was sent. */
  async answers() {
    this.token += 1;
    await this.send('/ping', this.token);
    const found = [];
    for (;;) {
      const message = await this.next();
      assert.ok(message, `no answer; so far ${JSON.stringify(found)}`);
      if (message[0] === '/ping' && message[1] === this.token) return found;
      found.push(message);
    }
  }

  async ask(...message) {
    await this.send(...message);
    return this.answers();
  }

  async one(address) {
    const [answer] = await this.ask(address);
    assert.equal(answer[0], address);
    return answer.length === 2 ? answer[1] : answer.slice(1);
  }
}

async function queryAndSet(peer) {
  for (const value of [-12, -6.5, 3]) {
    assert.deepEqual(await peer.ask('/ch/5/gain', value), []);
    assert.equal(await peer.one('/ch/5/gain'), value);
  }
  for (const value of [true, false]) {
    assert.deepEqual(await peer.ask('/ch/5/mute', value), []);
    assert.equal(await peer.one('/ch/5/mute'), value);
  }
  assert.deepEqual(await peer.ask('/ch/5/instrument', 'violin'), []);
  assert.equal(await peer.one('/ch/5/program'), 40);
  assert.equal(await peer.one('/engine/hop_ms'), 'model');
  assert.equal((await peer.one('/version'))[0], 'timbred');
  assert.equal((await peer.one('/meter/master')).length, 2);
}

async function patterns(peer) {
  assert.deepEqual(await peer.ask('/ch/{1,10}/gain', -3), []);
  const gains = new Map(await peer.ask('/ch/*/gain'));
  assert.equal(gains.size, 16);
  assert.deepEqual([1, 10, 2].map((n) => gains.get(`/ch/${n}/gain`)), [-3, -3, 0]);
  assert.equal((await peer.ask('/ch/1[0-2]/transpose')).length, 3);
}

async function bundles(peer) {
  await peer.send(new Bundle(['/ch/7/gain', -1], ['/ch/8/gain', 'loud']));
  const [[address, about, code]] = await peer.answers();
  assert.deepEqual([address, about, code], ['/error', '/ch/8/gain', 2]);
  assert.equal(await peer.one('/ch/7/gain'), 0);
  await peer.send(new Bundle(['/ch/7/gain', -1], ['/ch/8/gain', -2], ['/ch/7/gain']));
  assert.deepEqual(await peer.answers(), [['/ch/7/gain', -1]]);
  // This bundle waits for its time, in seconds since 1970.
  const at = Date.now() / 1000 + 1;
  await peer.send(new Bundle(at, ['/ch/7/gain', -9], ['/ch/7/gain']));
  assert.equal(await peer.one('/ch/7/gain'), -1);
  assert.deepEqual(await peer.next(), ['/ch/7/gain', -9]);
  const late = Date.now() / 1000 - at;
  assert.ok(late > -0.01 && late < 2, `${late} s late`);
}

async function subscriptions(peer) {
  // Changes are sent to a server of the client, as is usual with node-osc.
  const server = new Server(0, '127.0.0.1');
  await new Promise((resolve) => server.on('listening', resolve));
  const { port } = server._sock.address();
  const heard = [];
  server.on('message', (message) => heard.push(message));
  const [answer] = await peer.ask('/subscribe', '127.0.0.1', port, '/ch/9/*', 30);
  assert.deepEqual(answer.slice(0, 4), ['/subscribe', '127.0.0.1', port, '/ch/9/*']);
  const other = new Peer();
  await other.ask('/ch/9/gain', -7);
  for (let waited = 0; heard.length === 0 && waited < LONG_MS; waited += 5) await sleep(5);
  assert.deepEqual(heard, [['/ch/9/gain', -7]]);
  await peer.ask('/unsubscribe', '127.0.0.1', port);
  await other.ask('/ch/9/gain', 0);
  await sleep(300);
  assert.equal(heard.length, 1);
  await other.close();
  await server.close();
}

async function errors(peer) {
  const code = async (...message) => {
    const [[address, about, number, text]] = await peer.ask(...message);
    assert.deepEqual([address, about], ['/error', message[0]]);
    assert.ok(text.length > 0);
    return number;
  };
  assert.equal(await code('/ch/1/gian'), 1);
  assert.equal(await code('/master/gain', 'loud'), 2);
  assert.equal(await code('/master/gain', 1, 2), 2);
  assert.equal(await code('/engine/load', 1), 4);
}

async function notes(peer) {
  assert.deepEqual(await peer.ask('/ch/1/note', 60, 100), []);
  let peak = -120;
  for (let tries = 0; tries < 100 && peak < -60; tries += 1) {
    await sleep(50);
    [peak] = await peer.one('/meter/master');
  }
  assert.ok(peak > -60, `the note is not heard: ${peak} dBFS`);
  assert.deepEqual(await peer.ask('/panic'), []);
}

const peer = new Peer();
await queryAndSet(peer);
await patterns(peer);
await bundles(peer);
await subscriptions(peer);
await errors(peer);
await notes(peer);
await peer.close();
