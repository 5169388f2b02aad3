import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { findProgram } from './debian-packages.js';
import { LauncherError } from './launcher-error.js';

/** A server of our own: in a session of its own, so that Ctrl-C reaches us alone and we stop in order; ended by the kernel when we are killed. */
export interface ServerProcess {
  child: ChildProcess;
  name: string;
  logFile: string;
}

const READY_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 20;
const STOP_TIMEOUT_MS = 20_000;
const LOG_LINES_SHOWN = 5;

interface ServerOptions {
  /** An open file for it to inherit. */
  lockFd?: number;
  /** What the kernel sends it when we are killed. */
  deathSignal?: 'TERM' | 'KILL';
}

export function startServer(name: string, command: string[], logFile: string, env: Record<string, string>, options: ServerOptions = {}): ServerProcess {
  const setpriv = findProgram(['setpriv']);
  const [program, ...args] = setpriv ? [setpriv, '--pdeathsig', options.deathSignal ?? 'TERM', ...command] : command;
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(program!, args, { detached: true, env: { ...process.env, ...env }, stdio: ['ignore', log, log, options.lockFd ?? 'ignore'] });
  closeSync(log);
  child.on('error', () => undefined);
  return { child, name, logFile };
}

export const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;

/** Resolves when the server answers. */
export async function ready(server: ServerProcess, socket: string): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (!hasEnded(server.child) && Date.now() < deadline) {
    if (await answers(server.name, socket)) return;
    await delay(READY_POLL_MS);
  }
  throw new LauncherError(`${server.name} did not start. The end of ${server.logFile}:\n${lastLines(server.logFile)}`);
}

const lastLines = (file: string): string => readFileSync(file, 'utf8').trimEnd().split('\n').slice(-LOG_LINES_SHOWN).join('\n');

/** A word from the server itself: a bare connection is taken by one, too, that will give up on its files a moment later, or is still reading them. */
const answers = (name: string, socket: string): Promise<boolean> =>
  new Promise((done) => {
    const connection = connect(socket);
    const end = (answer: boolean): void => {
      connection.destroy();
      done(answer);
    };
    // MariaDB speaks first.
    if (name === 'Redis') connection.once('connect', () => connection.write('PING\r\n'));
    connection.once('data', (data) => end(!data.toString('latin1').startsWith('-LOADING')));
    connection.once('error', () => end(false)).once('close', () => end(false));
  });

export async function stopServer({ child }: ServerProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = new AbortController();
  await Promise.race([ended, delay(STOP_TIMEOUT_MS, undefined, { signal: timer.signal }).catch(() => undefined)]);
  timer.abort();
  if (hasEnded(child)) return;
  child.kill('SIGKILL');
  await ended;
}
