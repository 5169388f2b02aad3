import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { findProgram } from '../../src/launcher/debian-packages.js';
import { hasEnded } from '../../src/launcher/server-process.js';
import { mutantEnv } from '../inject/environment.js';
import { startProxy, type Proxy } from './proxy.js';

/** One Frontrow process of the built program, behind proxies of its own. */
export interface FrontrowNode {
  readonly name: string;
  readonly role: 'api' | 'worker';
  /** Of its front proxy, as clients see it: stays the same over restarts. */
  readonly url: string;
  /** Of the process itself, for health and metrics: not through the front proxy, another one after each start. */
  readonly operatorUrl: string;
  /** 0 while it does not run. */
  readonly pid: number;
  readonly front: Proxy;
  readonly toDatabase: Proxy;
  readonly toRedis: Proxy;
  /** SIGKILL unless told otherwise; resolves when the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again; resolves when it is ready. `env` is laid over what it had, and stays. */
  start(env?: Record<string, string>): Promise<void>;
  /** SIGTERM: its exit code, or the signal that ended it. */
  stop(): Promise<number | string>;
  /** GET /health/ready answers 200. */
  ready(): Promise<boolean>;
  /** Resolves with its exit code or signal when the process that runs now has ended, whoever ended it. */
  ended(): Promise<number | string>;
  /** Everything it has written, over all its starts. */
  log(): string;
}

export interface NodeOptions {
  name: string;
  role: 'api' | 'worker';
  folder: string;
  sockets: { database: string; redis: string };
  env: Record<string, string>;
}

const DATABASE = { user: 'root', name: 'frontrow' };
const START_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 25;
const READY_ANSWER_TIMEOUT_MS = 2000;
const LOG_TAIL = 4000;

/** Its proxies are there, but it does not run yet. */
export async function prepareNode(options: NodeOptions): Promise<FrontrowNode & { close(): Promise<void> }> {
  const [front, toDatabase, toRedis] = await Promise.all([startProxy(null), startProxy({ path: options.sockets.database }), startProxy({ path: options.sockets.redis })]);
  return new SpawnedNode(options, front, toDatabase, toRedis);
}

class SpawnedNode implements FrontrowNode {
  readonly name: string;
  readonly role: 'api' | 'worker';
  readonly url: string;
  #env: Record<string, string>;
  #child: ChildProcess | undefined;
  #operatorUrl = '';

  constructor(
    private readonly options: NodeOptions,
    readonly front: Proxy,
    readonly toDatabase: Proxy,
    readonly toRedis: Proxy,
  ) {
    this.name = options.name;
    this.role = options.role;
    this.url = `http://127.0.0.1:${front.port}`;
    this.#env = {
      ...mutantEnv(),
      ...options.env,
      ROLES: options.role,
      DATABASE_URL: `mysql://${DATABASE.user}@127.0.0.1:${toDatabase.port}/${DATABASE.name}`,
      REDIS_URL: `redis://127.0.0.1:${toRedis.port}`,
    };
  }

  get operatorUrl(): string {
    return this.#operatorUrl;
  }

  get pid(): number {
    return this.#child && !hasEnded(this.#child) ? this.#child.pid! : 0;
  }

  async start(env: Record<string, string> = {}): Promise<void> {
    if (this.pid) throw new Error(`${this.name} runs already.`);
    this.#env = { ...this.#env, ...env };
    const child = this.#spawn();
    this.#child = child;
    const deadline = Date.now() + START_TIMEOUT_MS;
    this.#operatorUrl = await this.#address(child);
    this.front.to({ port: Number(new URL(this.#operatorUrl).port) });
    while (!(await this.ready())) {
      if (this.#child !== child || hasEnded(child)) throw new Error(`${this.name} ended before it was ready:\n${this.#tail()}`);
      if (Date.now() > deadline) throw new Error(`${this.name} was not ready within ${START_TIMEOUT_MS / 1000} s:\n${this.#tail()}`);
      await delay(READY_POLL_MS);
    }
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#child?.kill(signal);
    if (this.#child) await this.ended();
  }

  async stop(): Promise<number | string> {
    this.#child?.kill('SIGTERM');
    return this.ended();
  }

  async ended(): Promise<number | string> {
    const child = this.#child;
    if (!child) throw new Error(`${this.name} was never started.`);
    if (!hasEnded(child)) await once(child, 'exit');
    return child.exitCode ?? child.signalCode!;
  }

  async ready(): Promise<boolean> {
    try {
      const response = await fetch(`${this.#operatorUrl}/health/ready`, { signal: AbortSignal.timeout(READY_ANSWER_TIMEOUT_MS) });
      await response.arrayBuffer();
      return response.status === 200;
    } catch {
      return false;
    }
  }

  log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  async close(): Promise<void> {
    await this.kill();
    await Promise.all([this.front, this.toDatabase, this.toRedis].map((proxy) => proxy.close()));
  }

  get #logFile(): string {
    return join(this.options.folder, `${this.name}.log`);
  }

  #tail(): string {
    return this.log().slice(-LOG_TAIL);
  }

  #spawn(): ChildProcess {
    const setpriv = findProgram(['setpriv']);
    const command = [process.execPath, '--enable-source-maps', join(process.cwd(), 'dist/index.js')];
    const [program, ...args] = setpriv ? [setpriv, '--pdeathsig', 'KILL', ...command] : command;
    const log = openSync(this.#logFile, 'a', 0o600);
    // In a session of its own, so that Ctrl-C reaches the drill alone, which then closes in order.
    const child = spawn(program!, args, { detached: true, env: this.#env, stdio: ['ignore', 'pipe', log] });
    child.on('error', () => undefined);
    child.stdout!.on('data', (text: Buffer) => writeSync(log, text)).on('close', () => closeSync(log));
    child.once('exit', () => this.#child === child && this.front.to(null));
    return child;
  }

  /** From its first line on standard output with a URL. */
  async #address(child: ChildProcess): Promise<string> {
    const timer = setTimeout(() => child.stdout!.destroy(), START_TIMEOUT_MS);
    try {
      for await (const line of createInterface({ input: child.stdout! })) {
        const [url] = /https?:\/\/\S+/.exec(line) ?? [];
        if (url) {
          child.stdout!.resume();
          return url;
        }
      }
    } finally {
      clearTimeout(timer);
    }
    throw new Error(`${this.name} did not start:\n${this.#tail()}`);
  }
}
