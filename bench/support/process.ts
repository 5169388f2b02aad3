import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findProgram } from '../../src/launcher/debian-packages.js';
import { hasEnded } from '../../src/launcher/server-process.js';
import { pinnedCommand, pinProcess, type Core } from './pin.js';

/** A server in a process of its own. It tells its address in its first line with a URL. */
export interface Server {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

export interface ServerOptions {
  name: string;
  /** Program and arguments behind `node`. */
  args: readonly string[];
  core: Core;
  env: Record<string, string>;
  /** Takes its log. */
  folder: string;
}

export const START_TIMEOUT_MS = 60_000;
const LOG_TAIL = 4000;

/** Program and arguments behind `node` of a file of the bench, named as in its sources, as it was compiled. */
export const benchArgs = (file: string): string[] => [join(process.cwd(), 'bench/.built', file.replace(/\.ts$/, '.js'))];

/**
 * In a session of its own, so that Ctrl-C reaches the bench alone, which then ends it; ended by the kernel should the bench be killed. It has both cores, as nothing is measured
 * while something starts: whoever starts it pins it when it is ready.
 */
export function spawnNode(args: readonly string[], env: Record<string, string>, stdio: StdioOptions): ChildProcess {
  const setpriv = findProgram(['setpriv']);
  const command = pinnedCommand('both', [process.execPath, ...args]);
  const [program, ...rest] = setpriv ? [setpriv, '--pdeathsig', 'KILL', ...command] : command;
  const child = spawn(program!, rest, { detached: true, env, stdio });
  child.on('error', () => undefined);
  return child;
}

export async function startServer({ name, args, core, env, folder }: ServerOptions): Promise<Server> {
  const logFile = join(folder, `${name.replaceAll(/\W+/g, '-')}.log`);
  const log = openSync(logFile, 'a', 0o600);
  const child = spawnNode(args, env, ['ignore', 'pipe', log]);
  child.stdout!.on('data', (text: Buffer) => writeSync(log, text)).on('close', () => closeSync(log));
  const url = await addressOf(child);
  if (!url) throw new Error(`${name} did not start:\n${readFileSync(logFile, 'utf8').slice(-LOG_TAIL)}`);
  pinProcess(core, child.pid!);
  return { name, url, port: Number(new URL(url).port), pid: child.pid!, stop: () => endProcess(child) };
}

async function addressOf(child: ChildProcess): Promise<string | undefined> {
  const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
  try {
    for await (const line of createInterface({ input: child.stdout! })) {
      const [url] = /https?:\/\/[\w.:[\]-]+/.exec(line) ?? [];
      if (!url) continue;
      child.stdout!.resume();
      return url;
    }
  } finally {
    clearTimeout(timer);
  }
  return undefined;
}

/** At once: what a measured server would still tidy is of no use to anybody. */
export async function endProcess(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
