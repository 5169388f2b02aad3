import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** Frontrow as an operator starts it: the built program in a process of its own. */
export interface FrontrowProcess {
  child: ChildProcess;
  pid: number;
  /** From the first line on standard output that holds one. */
  url: string;
  output(): string;
  /** Sends the signal and waits for the end: its exit code, or the signal's name. */
  end(signal?: NodeJS.Signals): Promise<number | string>;
}

/** Builds once for all test files; does nothing when dist is fresh. */
export function ensureBuilt(): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/build.mjs', '--if-stale'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`The build failed:\n${stdout}${stderr}`);
}

/** As started by npm, a process stops when the one that started it is gone: none is left behind by a test run that is killed. */
export const STOPS_WITH_PARENT = { npm_lifecycle_event: 'start' };
const BARE_ENV = { ...STOPS_WITH_PARENT, PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', PORT: '0', HOST: '127.0.0.1', NODE_ENV: 'test', LOG_LEVEL: 'error' };
const spawned: ChildProcess[] = [];

export function spawnFrontrow(env: Record<string, string>, cwd?: string): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, ['--enable-source-maps', `${process.cwd()}/dist/index.js`], { env: { ...BARE_ENV, ...env }, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  spawned.push(child);
  let output = '';
  child.stdout!.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr!.on('data', (text: Buffer) => (output += text.toString()));
  return { child, output: () => output };
}

/** For the end of a test file: kills what a failed test may have left running, and with it its servers. */
export async function endAll(): Promise<void> {
  for (const child of spawned) child.kill('SIGKILL');
  await Promise.all(spawned.map(ended));
}

const ended = async (child: ChildProcess): Promise<number | string> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
  return child.exitCode ?? child.signalCode!;
};

/** Waits until it has told its address. */
export async function startProcess(env: Record<string, string>, cwd?: string): Promise<FrontrowProcess> {
  const { child, output } = spawnFrontrow(env, cwd);
  for await (const line of createInterface({ input: child.stdout! })) {
    const [url] = /https?:\/\/\S+/.exec(line) ?? [];
    if (!url) continue;
    return {
      child, pid: child.pid!, url, output,
      end: (signal = 'SIGTERM') => {
        child.kill(signal);
        return ended(child);
      },
    };
  }
  throw new Error(`Frontrow did not start:\n${output()}`);
}

/** For a start that is to fail: its exit code and what it said. */
export async function failingStart(env: Record<string, string>): Promise<{ code: number | string; output: string }> {
  const { child, output } = spawnFrontrow(env);
  return { code: await ended(child), output: output() };
}

/** The command line of a process; empty when it is gone. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** The children of a process, by id. */
export const childrenOf = (pid: number): number[] => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
