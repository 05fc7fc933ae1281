// Compares OSCQuery with the table of parameters, and tests it with clients of other projects (npm
// oscquery, ws, node-osc): oscquery.mjs TIMBRED. Ends with 0 if everything is right.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { decode, encode, Message } from 'node-osc';
import oscquery from 'oscquery';
import WebSocket from 'ws';
import { Daemon, until } from './daemon.mjs';

const daemon = await new Daemon(process.argv[2]).start();
const base = `http://127.0.0.1:${daemon.http}`;
const get = async (path, headers = {}) => {
  const answer = await fetch(base + path, { headers });
  const text = await answer.text();
  return { status: answer.status, json: text.startsWith('{') ? JSON.parse(text) : null, text };
};

/** A client of the WebSocket that remembers what it hears. */
class Client {
  constructor() {
    this.heard = [];
    this.commands = [];
    this.socket = new WebSocket(`ws://127.0.0.1:${daemon.http}/`);
    this.socket.on('message', (bytes, isBinary) => {
      if (!isBinary) return this.commands.push(JSON.parse(bytes));
      const packet = decode(bytes);
      for (const message of packet.bundleElements ?? packet.elements ?? [packet]) {
        this.heard.push([message.address, ...message.args.map((arg) => arg.value)]);
      }
    });
    this.opened = new Promise((resolve) => this.socket.on('open', resolve));
  }
  command(command, path) {
    this.socket.send(JSON.stringify({ COMMAND: command, DATA: path }));
  }
  send(address, ...args) {
    this.socket.send(encode(new Message(address, ...args)));
  }
  find(address) {
    return this.heard.filter(([heard]) => heard === address);
  }
}

try {
  // Checks every row of the table that timbrectl prints.
  const rows = JSON.parse(daemon.control('parameters', '--json')).filter((row) => row.name);
  const { json: root } = await get('/');
  const walk = (path) =>
    path
      .split('/')
      .slice(1)
      .reduce((node, name) => node?.CONTENTS?.[name], root);
  let count = 0;
  for (const row of rows) {
    const channels = row.address.includes('{n}') ? 16 : 1;
    for (let channel = 1; channel <= channels; channel += 1) {
      const path = row.address.replace('{n}', channel);
      const node = walk(path);
      assert.ok(node, path);
      assert.equal(node.FULL_PATH, path);
      assert.equal(node.ACCESS, row.settable ? 3 : 1, path);
      assert.equal(node.DESCRIPTION, row.help);
      assert.match(node.TYPE, /^(f|i|h|T|s|ff)$/);
      assert.equal(node.VALUE.length, node.TYPE.length);
      if (/[fih]/.test(node.TYPE)) {
        assert.equal(node.RANGE[0].MIN, row.min, path);
        assert.equal(node.RANGE[0].MAX, row.max, path);
      }
      if (row.choices.length) assert.deepEqual(node.RANGE[0].VALS, row.choices);
      assert.equal(node.UNIT?.[0] ?? '', row.unit);
      count += 1;
    }
  }
  assert.ok(rows.length > 50 && count > 500);

  // Checks nodes, attributes, and the answers for those that do not exist.
  assert.deepEqual((await get('/master/gain?VALUE')).json, {
    VALUE: [walk('/master/gain').VALUE[0]],
  });
  assert.deepEqual((await get('/master/gain?CLIPMODE')).json, { CLIPMODE: ['both'] });
  assert.equal((await get('/ch/3')).json.CONTENTS.gain.FULL_PATH, '/ch/3/gain');
  assert.equal((await get('/ch?VALUE')).status, 204);
  assert.equal((await get('/master/mute?RANGE')).status, 204);
  assert.equal((await get('/master/gian')).status, 404);
  assert.match((await get('/master/gian')).text, /did you mean \/master\/gain/);
  assert.equal((await get('/master/gain?COLOUR')).status, 400);
  const { json: info } = await get('/?HOST_INFO');
  assert.equal(info.OSC_PORT, daemon.osc);
  assert.ok(info.EXTENSIONS.LISTEN && info.EXTENSIONS.VALUE);

  // Checks with a client of another project.
  const discovery = new oscquery.OSCQueryDiscovery();
  const service = await discovery.queryNewService('127.0.0.1', daemon.http);
  const all = service.flat();
  assert.ok(all.length > count);
  const gain = service.resolvePath('/ch/16/gain');
  const { DESCRIPTION, RANGE, TYPE } = gain.serialize();
  assert.deepEqual([DESCRIPTION, TYPE], ['Loudness of the channel in dB', 'f']);
  assert.deepEqual([RANGE[0].MIN, RANGE[0].MAX], [-60, 12]);
  assert.equal(service.hostInfo.oscPort, daemon.osc);

  // Checks LISTEN, IGNORE, and OSC in both directions.
  const [a, b] = [new Client(), new Client()];
  await Promise.all([a.opened, b.opened]);
  a.command('LISTEN', '/ch/2');
  a.command('LISTEN', '/master/gain');
  await until('what is now', () => a.find('/ch/2/pan').length && a.find('/master/gain').length);
  assert.equal(a.find('/ch/3/pan').length, 0);
  b.send('/ch/2/gain', { type: 'float', value: -7.5 });
  await until('a change', () => a.find('/ch/2/gain').some(([, gain]) => gain === -7.5));
  b.send('/master/gain');
  await until('an answer', () => b.find('/master/gain').length === 1);
  const before = a.heard.length;
  a.command('IGNORE', '/ch/2/gain');
  a.send('/ping', 1);
  await until('the ping', () => a.find('/ping').length);
  b.send('/ch/2/gain', { type: 'float', value: -3 });
  b.send('/master/gain', { type: 'float', value: -20 });
  await until('the other', () => a.find('/master/gain').some(([, gain]) => gain === -20));
  assert.ok(!a.heard.slice(before).some(([address]) => address === '/ch/2/gain'));
  a.send('/master/gain', { type: 'float', value: -21 });
  await sleep(200);
  assert.ok(
    !a.find('/master/gain').some(([, gain]) => gain === -21),
    'nobody hears of what they set',
  );
  a.command('LISTEN', '/nothing');
  await until('an error', () => a.find('/error').length);

  // Checks changes of the tree.
  b.send('/preset/save', 'Evening');
  await until('PATH_CHANGED', () =>
    a.commands.some((c) => c.COMMAND === 'PATH_CHANGED' && c.DATA === '/preset'),
  );

  // Checks OSC over TCP, with liblo.
  const sent = spawnSync('oscsend', [
    `osc.tcp://127.0.0.1:${daemon.osc}`,
    '/ch/5/gain',
    'f',
    '-11',
  ]);
  assert.equal(sent.status, 0, String(sent.stderr));
  await until('what TCP set', () => daemon.control('get', '/ch/5/gain') === '-11');
  console.log(
    `OSCQuery: ${rows.length} rows, ${count} values, ${all.length} methods for npm oscquery`,
  );
  for (const client of [a, b]) client.socket.close();
} catch (error) {
  console.error(daemon.log);
  throw error;
} finally {
  await daemon.end();
}
process.exit(0);
