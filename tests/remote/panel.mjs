// Tests the panel in a real browser (Chromium, by Playwright): panel.mjs TIMBRED [FOLDER]. Two
// pages and a UDP client follow each other, a key is heard, the daemon is killed and comes back,
// and axe looks for faults of accessibility. Screenshots go into FOLDER.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encode, Message } from 'node-osc';
import { chromium } from 'playwright-core';
import { Daemon, spread, until } from './daemon.mjs';

const [program, pictures] = process.argv.slice(2);
const SIZES = { phone: [390, 844], side: [844, 390], tablet: [1180, 820], desktop: [1600, 900] };
const PROGRAMS = [0, 4, 16, 19, 24, 33, 40, 48, 52, 0, 56, 61, 65, 73, 81, 89];
const LATEST_MS = 100;
const ROUNDS = 60;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const daemon = await new Daemon(program).start();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  // A container does not allow another sandbox inside it.
  args: process.getuid() === 0 ? ['--no-sandbox'] : [],
});
const base = `http://127.0.0.1:${daemon.http}/`;
const udp = createSocket('udp4');
const send = (address, ...args) => udp.send(encode(new Message(address, ...args)), daemon.osc);
const float = (value) => ({ type: 'float', value });
const problems = [];

/** A page that is connected; requests that leave the daemon are faults. */
async function open(name, colorScheme, more = {}) {
  const [width, height] = SIZES[name];
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme,
    locale: 'en-US',
    hasTouch: name !== 'desktop',
    ...more,
  });
  const page = await context.newPage();
  page.on('pageerror', (error) => problems.push(`${name}: ${error.message}`));
  page.on('request', (request) => {
    if (!request.url().startsWith(base)) problems.push(`${name} asks ${request.url()}`);
  });
  await page.goto(base);
  await page.waitForFunction(() => document.querySelector('#instrument em').textContent !== '');
  return page;
}

/** Whether all of an element can be seen. */
const reached = (page, selector) =>
  page.evaluate((selector) => {
    const box = document.querySelector(selector).getBoundingClientRect();
    return box.width > 0 && box.left >= 0 && box.right <= innerWidth && box.bottom <= innerHeight;
  }, selector);

/** Has a page note when it shows another master volume than now. */
const armed = (page) =>
  page.evaluate(() => {
    const output = document.querySelector('#master-fader output');
    window.seen = new Promise((resolve) => {
      const observer = new MutationObserver(() => {
        observer.disconnect();
        resolve([performance.timeOrigin + performance.now(), output.textContent]);
      });
      observer.observe(output, { childList: true, characterData: true, subtree: true });
    });
  });
const seen = (page) => page.evaluate(() => window.seen);
const now = () => performance.timeOrigin + performance.now();

try {
  PROGRAMS.forEach((program, place) => send(`/ch/${place + 1}/program`, program));
  await sleep(500);
  const [a, b] = [await open('tablet', 'dark'), await open('phone', 'light')];

  // ---- they follow UDP and each other ----
  const [fromUdp, fromPage, toUdp] = [[], [], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    const gain = -10 - (round % 20) - 0.5 * (round % 2);
    await Promise.all([armed(a), armed(b)]);
    const sent = now();
    send('/master/gain', float(gain));
    for (const [at, text] of await Promise.all([seen(a), seen(b)])) {
      assert.equal(text, `${gain.toFixed(1)} dB`.replace('-', '−'));
      fromUdp.push(at - sent);
    }
  }
  let heard = null;
  udp.on('message', (bytes) => {
    if (String(bytes.subarray(0, 12)) === '/master/gain') heard?.(now());
  });
  send('/subscribe', '/master/gain', float(100));
  await sleep(200);
  for (let round = 0; round < ROUNDS; round += 1) {
    await armed(b);
    const told = new Promise((resolve) => (heard = resolve));
    const sent = await a.evaluate(
      (to) => {
        const fader = document.querySelector('#master-fader input');
        fader.value = to;
        fader.dispatchEvent(new Event('input'));
        return performance.timeOrigin + performance.now();
      },
      -40 + round * 0.5,
    );
    fromPage.push((await seen(b))[0] - sent);
    toUdp.push((await told) - sent);
  }
  for (const [what, all] of Object.entries({
    'UDP to page': fromUdp,
    'page to page': fromPage,
    'page to UDP': toUdp,
  })) {
    const { median, p95, most } = spread(all);
    console.log(
      `${what}: median ${median.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms, most ${most.toFixed(1)} ms`,
    );
    assert.ok(p95 < LATEST_MS, what);
  }

  // ---- an instrument by its name ----
  await a.click('#instrument');
  await a.fill('#search', 'church');
  await a.press('#search', 'Enter');
  await until('the program', () => daemon.control('get', '/ch/1/program') === '19');
  await b.waitForFunction(
    () => document.querySelector('#instrument strong').textContent === 'Church Organ',
  );

  // ---- a drum kit by its name ----
  await a.click('#parts .cell:nth-child(10) .pick');
  await a.click('#instrument');
  await a.fill('#search', 'brush');
  await a.press('#search', 'Enter');
  await until('the kit', () => daemon.control('get', '/ch/10/program') === '40');
  await a.click('#parts .cell:nth-child(1) .pick');

  // ---- a key is heard in what is recorded, and the recording comes by the page ----
  send('/master/gain', float(-6));
  await a.click('#record');
  await b.waitForFunction(
    () => document.getElementById('record').getAttribute('aria-pressed') === 'true',
  );
  await sleep(600);
  const key = await a.locator('#keys [data-key="67"]').boundingBox();
  await a.mouse.move(key.x + key.width / 2, key.y + key.height * 0.9);
  await a.mouse.down();
  await sleep(700);
  await a.mouse.up();
  await sleep(500);
  await a.click('#record');
  const link = a.locator('#recording-list a').first();
  const [download] = await Promise.all([a.waitForEvent('download'), link.click()]);
  const wav = readFileSync(await download.path());
  const [midiDownload] = await Promise.all([
    a.waitForEvent('download'),
    a.locator('#recording-list a').nth(1).click(),
  ]);
  const midi = readFileSync(await midiDownload.path());
  assert.equal(String(wav.subarray(0, 4)), 'RIFF');
  assert.equal(String(midi.subarray(0, 4)), 'MThd');
  const pitch = pitchOf(wav);
  console.log(
    `key G4 on the page: loudest tone ${pitch.hz.toFixed(1)} Hz at ${pitch.db.toFixed(1)} dBFS in the take`,
  );
  const octaves = Math.log2(pitch.hz / 391.995);
  assert.ok(Math.abs(octaves - Math.round(octaves)) < 0.03, 'a G');
  assert.ok(pitch.db > -60);
  await a.click('#recordings .close');

  // ---- presets, mute, learn, panic ----
  await a.click('#open-presets');
  await a.fill('#preset-name', 'Evening');
  await a.click('#save button');
  await a.waitForSelector('#preset-list .wide');
  assert.equal(daemon.control('preset', 'list'), 'Evening');
  await a.click('#presets .close');
  await a.click('.cell:nth-child(3) .mute');
  await until('mute', () => daemon.control('get', '/ch/3/mute') === 'true');
  send('/ch/1/note', 60, 100);
  await until('a note', async () => Number(daemon.control('get', '/ch/1/notes')) > 0);
  await a.click('#panic');
  await until('silence', () => daemon.control('get', '/ch/1/notes') === '0');

  // ---- a page that goes away releases its keys ----
  const gone = await open('desktop', 'dark');
  const held = await gone.locator('#keys [data-key="72"]').boundingBox();
  await gone.mouse.move(held.x + 10, held.y + held.height * 0.9);
  await gone.mouse.down();
  await until('a note', () => Number(daemon.control('get', '/ch/1/notes')) > 0);
  await gone.context().close();
  await until('its release', () => daemon.control('get', '/ch/1/notes') === '0');

  // ---- the daemon is killed, and comes back ----
  await a.evaluate(() => (window.same = true));
  await daemon.kill();
  await a.waitForSelector('#offline:not([hidden])');
  await daemon.start();
  const back = now();
  await a.waitForSelector('#offline', { state: 'hidden' });
  console.log(`killed and back: the page plays on after ${Math.round(now() - back)} ms`);
  assert.ok(await a.evaluate(() => window.same), 'it was not loaded anew');
  const again = await a.locator('#keys [data-key="60"]').boundingBox();
  await a.mouse.move(again.x + 5, again.y + again.height * 0.9);
  await a.mouse.down();
  await until('a note', () => Number(daemon.control('get', '/ch/1/notes')) > 0);
  await a.mouse.up();

  // ---- German, by keyboard ----
  const german = await open('tablet', 'light', { locale: 'de-DE' });
  assert.equal(await german.textContent('#panic'), 'Panik');
  await german.focus('#panic');
  await german.keyboard.press('Enter');
  await german.focus('#keys button');
  await german.keyboard.down(' ');
  await until('a note', () => Number(daemon.control('get', '/ch/1/notes')) > 0);
  await german.keyboard.up(' ');
  await german.context().close();

  // ---- pictures and faults, at each size and in both colours ----
  if (pictures) mkdirSync(pictures, { recursive: true });
  PROGRAMS.forEach((program, place) => send(`/ch/${place + 1}/program`, program));
  send('/ch/3/mute', { type: 'boolean', value: false });
  send('/ch/1/pan', 50);
  send('/master/gain', float(-6));
  for (const name of Object.keys(SIZES)) {
    for (const scheme of ['dark', 'light']) {
      const page = await open(name, scheme);
      for (const [channel, note] of [
        [1, 48],
        [3, 60],
        [4, 55],
        [7, 64],
        [8, 52],
        [9, 67],
        [14, 79],
        [16, 43],
      ]) {
        send(`/ch/${channel}/note`, note, 90);
      }
      await sleep(700);
      assert.ok(await reached(page, '#panic'), `${name}: panic is out of reach`);
      if (pictures && name !== 'side')
        await page.screenshot({ path: join(pictures, `panel-${name}-${scheme}.png`) });
      const scrolls = await page.evaluate(
        () =>
          document.documentElement.scrollHeight > innerHeight ||
          document.documentElement.scrollWidth > innerWidth,
      );
      assert.ok(!scrolls, `${name} scrolls`);
      for (const sheet of [
        null,
        '#instrument',
        '#open-presets',
        '#open-recordings',
        '#open-settings',
      ]) {
        if (sheet) await page.click(sheet);
        await page.evaluate(AXE);
        const { violations } = await page.evaluate(() =>
          window.axe.run({ resultTypes: ['violations'] }),
        );
        for (const { id, impact, nodes } of violations.filter((v) =>
          ['serious', 'critical'].includes(v.impact),
        )) {
          problems.push(
            `${name} ${scheme} ${sheet}: ${impact} ${id}: ${nodes[0].html} ${nodes[0].failureSummary}`,
          );
        }
        if (sheet) await page.click('dialog[open] .close');
      }
      send('/allnotesoff');
      await page.context().close();
    }
  }
  assert.deepEqual(problems, []);
  console.log('axe: nothing serious at three sizes, dark and light, with every sheet');
  assert.ok(!daemon.log.includes('panicked'), daemon.log);
} catch (error) {
  console.error(daemon.log.split('\n').slice(-15).join('\n'));
  throw error;
} finally {
  await browser.close();
  await daemon.end();
}
process.exit(0);

/** The loudest tone of a WAV file of 24 bits and two channels, from its loudest place. */
function pitchOf(wav) {
  const rate = wav.readUInt32LE(24);
  const data = wav.indexOf('data') + 8;
  const frames = Math.floor((wav.length - data) / 6);
  const left = Float64Array.from(
    { length: frames },
    (_, i) => wav.readIntLE(data + 6 * i, 3) / 8388608,
  );
  const size = 16384;
  let from = 0;
  let most = 0;
  for (let start = 0; start + size <= frames; start += 2048) {
    let sum = 0;
    for (let i = start; i < start + size; i += 1) sum += left[i] * left[i];
    if (sum > most) [from, most] = [start, sum];
  }
  let best = { hz: 0, power: 0 };
  for (let key = 36; key < 103; key += 0.125) {
    const hz = 440 * 2 ** ((key - 69) / 12);
    let [re, im] = [0, 0];
    for (let i = 0; i < size; i += 1) {
      const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size);
      re += window * left[from + i] * Math.cos((2 * Math.PI * hz * i) / rate);
      im += window * left[from + i] * Math.sin((2 * Math.PI * hz * i) / rate);
    }
    if (re * re + im * im > best.power) best = { hz, power: re * re + im * im };
  }
  return { hz: best.hz, db: 10 * Math.log10(most / size) };
}
