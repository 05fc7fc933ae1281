// Starts the real daemon in a folder of its own for the other scripts here. Knows no expected
// result.

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const LONG_MS = 60_000;

/** A running daemon; `folder` is its home, which outlives it. */
export class Daemon {
  constructor(program, { folder, env = {}, args = [], prefix = [] } = {}) {
    this.program = program;
    this.folder = folder ?? mkdtempSync(join(tmpdir(), 'timbred-'));
    this.env = env;
    this.args = args;
    this.prefix = prefix;
    this.log = '';
  }

  /** Starts it on the ports it had, or on free ones, and waits until it is ready. */
  async start() {
    const env = {
      PATH: process.env.PATH,
      HOME: this.folder,
      TIMBRED_LOG: 'info,tract=error',
      TIMBRED_REMOTE__PORT: String(this.http ?? 0),
      ...this.env,
    };
    const args = ['--audio', 'null', '--osc-port', String(this.osc ?? 0), ...this.args];
    const [command, ...words] = [...this.prefix, this.program, ...args];
    this.child = spawn(command, words, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    this.child.stderr.on('data', (bytes) => {
      said += bytes;
      this.log += bytes;
    });
    const ended = new Promise((resolve) => this.child.on('exit', resolve));
    this.ended = ended;
    const find = (pattern) => Number(said.match(pattern)?.[1]);
    for (let waited = 0; !said.includes('ready: '); waited += 20) {
      if (waited > LONG_MS || this.child.exitCode !== null) throw new Error(`not ready: ${said}`);
      await sleep(20);
    }
    this.osc = find(/OSC: \S*:(\d+)/);
    this.http = find(/panel: http:\/\/\S*?:(\d+)\//);
    return this;
  }

  /** Ends it as a machine that loses power does. */
  async kill() {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  /** Ends it and takes its folder away. */
  async end() {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** What timbrectl says. */
  control(...args) {
    const program = this.program.replace(/timbred$/, 'timbrectl');
    const ran = spawnSync(program, ['--port', String(this.osc), ...args], { encoding: 'utf8' });
    if (ran.status !== 0) throw new Error(`timbrectl ${args}: ${ran.stderr}`);
    return ran.stdout.trim();
  }

  /** Memory in use, kB. */
  memoryKb() {
    const status = spawnSync('grep', ['VmRSS', `/proc/${this.child.pid}/status`], {
      encoding: 'utf8',
    });
    return Number(status.stdout.match(/\d+/)[0]);
  }
}

/** Median and 95th percentile. */
export function spread(all) {
  const sorted = [...all].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return { median: at(0.5), p95: at(0.95), most: sorted.at(-1) };
}

/** Waits until something is so. */
export async function until(what, isSo, ms = 20_000) {
  for (let waited = 0; ; waited += 10) {
    const found = await isSo();
    if (found) return found;
    if (waited > ms) throw new Error(`${what} does not come`);
    await sleep(10);
  }
}
