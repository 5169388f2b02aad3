import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, openSync, renameSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { DatabaseAddress } from '../database/orm.config.js';
import { canFetchDebianPackages, fetchDebianPackages, findProgram } from './debian-packages.js';

/** Runs a MariaDB and a Redis of our own on unix sockets in a private folder: no ports, no passwords, gone when this process is gone. */

export interface OwnStores {
  database: DatabaseAddress;
  redis: string;
  stop(): Promise<void>;
}

/** Nothing the operator did not cause: shown as one clear line, without a stack. */
export class LauncherError extends Error {
  override readonly name = 'LauncherError';
}

interface Servers {
  mariadbd: string;
  installDb: string;
  databaseBase: string;
  redisServer: string;
  env: Record<string, string>;
}

const DATABASE_NAME = 'frontrow';
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;
const READY_POLL_MS = 20;
const PACKAGES = ['mariadb-server-core', 'mariadb-client-core', 'redis-server', 'redis-tools'];

export async function startOwnStores(dataDir: string, say: (line: string) => void): Promise<OwnStores> {
  const data = resolve(dataDir);
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const lock = await lockFolder(data);
  const sockets = mkdtempSync(join(tmpdir(), 'frontrow-'));
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const child of children.reverse()) await end(child);
    rmSync(sockets, { recursive: true, force: true });
    await end(lock);
  };
  try {
    const servers = await findServers(say);
    const databaseSocket = join(sockets, 'mariadb.sock');
    const redisSocket = join(sockets, 'redis.sock');
    await createDatabase(servers, data, say);
    say('Starting MariaDB and Redis …');
    children.push(startRedis(servers, data, redisSocket), startMariaDb(servers, data, databaseSocket));
    await Promise.all([ready(redisSocket, children[0]!, 'Redis', data), ready(databaseSocket, children[1]!, 'MariaDB', data)]);
    return { database: { socketPath: databaseSocket, name: DATABASE_NAME }, redis: redisSocket, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The kernel holds the lock for a helper that ends with us, so that no kill can leave it behind. */
async function lockFolder(data: string): Promise<ChildProcess> {
  const holder = spawn('flock', ['-n', join(data, 'lock'), 'sh', '-c', 'echo locked; exec cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const answer = await Promise.race([
    once(holder.stdout!, 'data').then(() => 'locked'),
    once(holder, 'close').then(() => 'busy'),
  ]);
  if (answer === 'busy') throw new LauncherError(`Another Frontrow is running on the data in ${data}. Stop it, or set DATA_DIR to another folder.`);
  return holder;
}

async function findServers(say: (line: string) => void): Promise<Servers> {
  const onMachine = serversBelow(undefined, {});
  if (onMachine) return onMachine;
  if (!canFetchDebianPackages()) throw new LauncherError(noServers('there is no apt-get to fetch them with'));
  try {
    const { root, env } = await fetchDebianPackages('servers', PACKAGES, say);
    const fetched = serversBelow(root, env);
    if (fetched) return fetched;
  } catch (error) {
    throw new LauncherError(noServers(`fetching them failed: ${error instanceof Error ? error.message : String(error)}`));
  }
  throw new LauncherError(noServers('the fetched packages do not hold them'));
}

const noServers = (why: string): string =>
  `Frontrow needs MariaDB or MySQL, and Redis. None is installed here and ${why}.\n` +
  'Either install mariadb-server and redis-server, or set DATABASE_URL and REDIS_URL, or run everything with: docker compose up';

function serversBelow(root: string | undefined, env: Record<string, string>): Servers | undefined {
  const mariadbd = findProgram(['mariadbd'], root);
  const installDb = findProgram(['mariadb-install-db'], root);
  const printDefaults = findProgram(['my_print_defaults'], root);
  const redisServer = findProgram(['redis-server', 'valkey-server'], root);
  if (!mariadbd || !installDb || !printDefaults || !redisServer) return undefined;
  return { mariadbd, installDb, databaseBase: root ? join(root, 'usr') : '/usr', redisServer, env };
}

const asRoot = (): string[] => (process.getuid?.() === 0 ? ['--user=root'] : []);

async function createDatabase(servers: Servers, data: string, say: (line: string) => void): Promise<void> {
  const folder = join(data, 'mariadb');
  if (existsSync(join(folder, 'mysql'))) return;
  say('Creating the database …');
  rmSync(folder, { recursive: true, force: true });
  const unfinished = `${folder}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  const args = [
    '--no-defaults', `--basedir=${servers.databaseBase}`, `--datadir=${unfinished}`, '--auth-root-authentication-method=normal',
    '--skip-test-db', '--skip-name-resolve', ...asRoot(),
  ];
  const log = openSync(join(data, 'mariadb-install.log'), 'a');
  const child = spawn(servers.installDb, args, { env: { ...process.env, ...servers.env }, stdio: ['ignore', log, log] });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new LauncherError(`The database could not be created; see ${join(data, 'mariadb-install.log')}.`);
  renameSync(unfinished, folder);
}

function startMariaDb(servers: Servers, data: string, socket: string): ChildProcess {
  return startServer(servers, servers.mariadbd, join(data, 'mariadb.log'), [
    '--no-defaults', `--basedir=${servers.databaseBase}`, `--datadir=${join(data, 'mariadb')}`, `--socket=${socket}`, `--pid-file=${socket}.pid`,
    '--skip-networking', '--skip-name-resolve', '--character-set-server=utf8mb4', '--collation-server=utf8mb4_bin', '--default-time-zone=+00:00',
    '--innodb-flush-log-at-trx-commit=1', '--innodb-buffer-pool-size=256M', '--max-connections=500', ...asRoot(),
  ]);
}

function startRedis(servers: Servers, data: string, socket: string): ChildProcess {
  mkdirSync(join(data, 'redis'), { recursive: true });
  return startServer(servers, servers.redisServer, join(data, 'redis.log'), [
    '--port', '0', '--unixsocket', socket, '--unixsocketperm', '700', '--dir', join(data, 'redis'),
    '--maxmemory-policy', 'noeviction', '--appendonly', 'yes', '--appendfsync', 'everysec',
  ]);
}

/** In a session of its own, so that Ctrl-C reaches us alone and we stop in order; ended by the kernel when we are killed. */
function startServer(servers: Servers, program: string, logFile: string, args: string[]): ChildProcess {
  const log = openSync(logFile, 'a');
  const setpriv = findProgram(['setpriv']);
  const [command, ...rest] = setpriv ? [setpriv, '--pdeathsig', 'TERM', program, ...args] : [program, ...args];
  return spawn(command!, rest, { detached: true, env: { ...process.env, ...servers.env }, stdio: ['ignore', log, log] });
}

async function ready(socket: string, server: ChildProcess, name: string, data: string): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (Date.now() < deadline) {
    if (server.exitCode !== null) break;
    if (await answers(socket)) return;
    await delay(READY_POLL_MS);
  }
  throw new LauncherError(`${name} did not start; see ${join(data, `${name.toLowerCase()}.log`)}.`);
}

const answers = (socket: string): Promise<boolean> =>
  new Promise((done) => {
    const connection = connect(socket);
    connection.once('connect', () => done(true)).once('error', () => done(false));
    connection.once('connect', () => connection.destroy());
  });

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'exit');
  child.stdin?.end();
  if (!child.stdin) child.kill('SIGTERM');
  const timer = new AbortController();
  await Promise.race([closed, delay(STOP_TIMEOUT_MS, undefined, { signal: timer.signal }).catch(() => undefined)]);
  timer.abort();
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
}
