import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, lstatSync, mkdirSync, mkdtempSync, openSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { DatabaseAddress } from '../database/orm.config.js';
import { lockFolder } from './folder-lock.js';
import { LauncherError } from './launcher-error.js';
import { ready, startServer, stopServer, type ServerProcess } from './server-process.js';
import { findServers, type Needed, type Servers } from './servers.js';
import { createDatabaseCommand, mariaDbCommand, redisCommand } from './store-commands.js';

/** Runs a MariaDB and a Redis of our own on unix sockets in a private folder: no ports, no passwords, gone when this process is gone. */
export interface OwnStores {
  database: DatabaseAddress;
  redis: string;
  stop(): Promise<void>;
}

type Say = (line: string) => void;

const DATABASE_NAME = 'frontrow';
const DATABASE_SOCKET = 'mariadb.sock';
const REDIS_SOCKET = 'redis.sock';
/** What the kernel allows for the path of a unix socket, less the longest name we put into the folder. */
const SOCKET_FOLDER_LENGTH_MAX = 107 - `/${DATABASE_SOCKET}.pid`.length;
const SHORT_ENOUGH = SOCKET_FOLDER_LENGTH_MAX - '/frontrow-XXXXXX'.length;

export async function startOwnStores(dataDir: string, say: Say, needed: Needed = { database: true, redis: true }): Promise<OwnStores> {
  const data = resolve(dataDir);
  makeDataFolder(data);
  const lock = await lockFolder(data, say);
  const sockets = makeSocketFolder(data);
  const started: ServerProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(started.map(stopServer));
    removeSockets(data);
    lock.release();
  };
  try {
    const servers = withOwnTemporaryFolder(await findServers(needed, say), data);
    const database = join(sockets, DATABASE_SOCKET);
    const redis = join(sockets, REDIS_SOCKET);
    if (needed.database) await createDatabase(servers, data, say);
    say(`Starting ${[needed.database && 'MariaDB', needed.redis && 'Redis'].filter(Boolean).join(' and ')} …`);
    const start = (name: string, command: string[], logFile: string): void => void started.push(startServer(name, command, join(data, logFile), servers.env, { lockFd: lock.serversFd }));
    if (needed.redis) start('Redis', redisCommand(servers, data, redis), 'redis.log');
    if (needed.database) start('MariaDB', mariaDbCommand(servers, data, database), 'mariadb.log');
    await Promise.all(started.map((server) => ready(server, server.name === 'Redis' ? redis : database)));
    return { database: { socketPath: database, name: DATABASE_NAME }, redis, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function makeDataFolder(data: string): void {
  try {
    mkdirSync(data, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new LauncherError(`The data folder ${data} cannot be made: ${error instanceof Error ? error.message : String(error)}. Set DATA_DIR to another one.`);
  }
}

/** `run` beside the data; where that path is too long for a socket it is a link to a folder in the temporary one. What a killed run left is cleared. */
function makeSocketFolder(data: string): string {
  removeSockets(data);
  const folder = join(data, 'run');
  if (folder.length <= SOCKET_FOLDER_LENGTH_MAX) mkdirSync(folder, { mode: 0o700 });
  else symlinkSync(mkdtempSync(join(tmpdir().length <= SHORT_ENOUGH ? tmpdir() : '/tmp', 'frontrow-')), folder);
  return socketFolder(data);
}

function socketFolder(data: string): string {
  const folder = join(data, 'run');
  return lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(folder) : folder;
}

function removeSockets(data: string): void {
  for (const folder of [socketFolder(data), join(data, 'run')]) rmSync(folder, { recursive: true, force: true });
}

/** The database of a Frontrow that runs on this data, for a command beside it. */
export function runningRedis(dataDir: string): string {
  const socketPath = join(socketFolder(resolve(dataDir)), REDIS_SOCKET);
  if (existsSync(socketPath)) return socketPath;
  throw new LauncherError(`No Redis of Frontrow's own runs on the data in ${resolve(dataDir)}. Start Frontrow, or set REDIS_URL to the Redis that it uses.`);
}

export function runningDatabase(dataDir: string): DatabaseAddress {
  const socketPath = join(socketFolder(resolve(dataDir)), DATABASE_SOCKET);
  if (existsSync(socketPath)) return { socketPath, name: DATABASE_NAME };
  throw new LauncherError(`No database of Frontrow's own runs on the data in ${resolve(dataDir)}. Start Frontrow, or set DATABASE_URL to the database that it uses.`);
}

/** A MariaDB that starts deletes what it takes for leftovers in its temporary folder: shared, that would be the tables another one works on. */
export function withOwnTemporaryFolder(servers: Servers, data: string): Servers {
  const folder = join(data, 'tmp');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  return { ...servers, env: { ...servers.env, TMPDIR: folder } };
}

/** Made beside its place and then renamed, so that an interrupted first start is simply done again. */
export async function createDatabase(servers: Servers, data: string, say: Say): Promise<void> {
  const folder = join(data, 'mariadb');
  if (existsSync(folder)) return;
  say('Creating the database …');
  const unfinished = `${folder}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  const [program, ...args] = createDatabaseCommand(servers, unfinished);
  const logFile = join(data, 'mariadb-install.log');
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(program!, args, { env: { ...process.env, ...servers.env }, stdio: ['ignore', log, log] });
  closeSync(log);
  const [code] = await once(child, 'close');
  if (code !== 0) throw new LauncherError(`The database could not be created; see ${logFile}.`);
  renameSync(unfinished, folder);
}
