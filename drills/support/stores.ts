import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { cacheDir } from '../../src/launcher/debian-packages.js';
import { createDatabase, withOwnTemporaryFolder } from '../../src/launcher/own-stores.js';
import { hasEnded, ready, startServer, type ServerProcess } from '../../src/launcher/server-process.js';
import { findServers, type Servers } from '../../src/launcher/servers.js';
import { mariaDbCommand, redisCommand } from '../../src/launcher/store-commands.js';

/** A MariaDB or Redis of the drill's own, on a unix socket, that can be killed, frozen and started again on the same data. */
export interface StoreServer {
  readonly pid: number;
  /** The unix socket. */
  readonly socket: string;
  /** kill -9; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts it again on what is on the disk; resolves when it answers. */
  start(): Promise<void>;
  /** SIGSTOP: it takes connections and answers nothing. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
}

export interface RedisStart {
  /** Whether it writes (and reads at its start) an append-only file; as before when not given. */
  aof?: boolean;
  /** Start from this file of `saveDump` instead of from its own data. */
  dump?: string;
}

export interface RedisServer extends StoreServer {
  start(options?: RedisStart): Promise<void>;
  /** A snapshot of now, in a file of its own; the answer is its path. */
  saveDump(): Promise<string>;
  flushAll(): Promise<void>;
}

interface StoreOptions {
  database?: { flags?: string[] } | undefined;
  redis?: { aof?: boolean } | undefined;
}

/** Both, started, with all their files below the folder. */
export async function startStores(folder: string, { database, redis }: StoreOptions, say: (line: string) => void): Promise<{ database: StoreServer; redis: RedisServer }> {
  const servers = withOwnTemporaryFolder(await findServers({ database: true, redis: true }, say), folder);
  await copyEmptyDatabase(servers, folder, say);
  const stores = { database: new OwnDatabase(servers, folder, database?.flags ?? []), redis: new OwnRedis(servers, folder, redis?.aof ?? true) };
  await Promise.all([stores.database.start(), stores.redis.start()]);
  return stores;
}

/** Making a database takes seconds, copying one a moment: it is made once for each version of the server. */
async function copyEmptyDatabase(servers: Servers, folder: string, say: (line: string) => void): Promise<void> {
  const { size, mtimeMs } = statSync(servers.mariadbd);
  const version = createHash('sha256').update(`${servers.mariadbd} ${size} ${mtimeMs}`).digest('hex').slice(0, 12);
  const empty = join(cacheDir(), `drill-database-${version}`);
  if (!existsSync(empty)) {
    mkdirSync(cacheDir(), { recursive: true });
    const work = mkdtempSync(join(cacheDir(), '.drill-database-'));
    try {
      await createDatabase(servers, work, say);
      if (!existsSync(empty)) renameSync(join(work, 'mariadb'), empty);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  cpSync(empty, join(folder, 'mariadb'), { recursive: true });
}

abstract class OwnServer implements StoreServer {
  readonly socket: string;
  #running: ServerProcess | undefined;

  constructor(
    private readonly name: 'MariaDB' | 'Redis',
    protected readonly servers: Servers,
    protected readonly folder: string,
  ) {
    this.socket = join(folder, `${name.toLowerCase()}.sock`);
  }

  protected abstract command(): string[];

  get pid(): number {
    return this.#running && !hasEnded(this.#running.child) ? this.#running.child.pid! : 0;
  }

  async start(): Promise<void> {
    if (this.pid) throw new Error(`${this.name} runs already.`);
    // A frozen server takes no other signal to heart when the drill is killed.
    this.#running = startServer(this.name, this.command(), join(this.folder, `${this.name.toLowerCase()}.log`), this.servers.env, { deathSignal: 'KILL' });
    await ready(this.#running, this.socket);
  }

  async kill(): Promise<void> {
    const child = this.#running?.child;
    if (!child || hasEnded(child)) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  pause(): void {
    this.#running?.child.kill('SIGSTOP');
  }

  resume(): void {
    this.#running?.child.kill('SIGCONT');
  }
}

class OwnDatabase extends OwnServer {
  constructor(
    servers: Servers,
    folder: string,
    private readonly flags: string[],
  ) {
    super('MariaDB', servers, folder);
  }

  protected command(): string[] {
    return [...mariaDbCommand(this.servers, this.folder, this.socket), ...this.flags];
  }
}

const AOF_POLL_MS = 20;

class OwnRedis extends OwnServer implements RedisServer {
  #dumps = 0;

  constructor(
    servers: Servers,
    folder: string,
    private aof: boolean,
  ) {
    super('Redis', servers, folder);
  }

  protected command(): string[] {
    return redisCommand(this.servers, this.folder, this.socket, this.aof);
  }

  override async start({ aof = this.aof, dump }: RedisStart = {}): Promise<void> {
    if (!aof || dump) rmSync(join(this.folder, 'redis', 'appendonlydir'), { recursive: true, force: true });
    if (dump) cpSync(dump, join(this.folder, 'redis', 'dump.rdb'));
    // A Redis that finds no append-only file starts empty beside a dump: it is switched on once the dump is read.
    this.aof = aof && !dump;
    await super.start();
    if (dump) rmSync(join(this.folder, 'redis', 'dump.rdb'));
    if (aof && dump) await this.#switchAofOn();
    this.aof = aof;
  }

  async saveDump(): Promise<string> {
    await this.#ask((redis) => redis.save());
    const file = join(this.folder, `dump-${(this.#dumps += 1)}.rdb`);
    // Moved: a Redis without AOF would start from what lies here.
    renameSync(join(this.folder, 'redis', 'dump.rdb'), file);
    return file;
  }

  async flushAll(): Promise<void> {
    await this.#ask((redis) => redis.flushall());
  }

  async #switchAofOn(): Promise<void> {
    await this.#ask(async (redis) => {
      await redis.config('SET', 'appendonly', 'yes');
      while (/aof_rewrite_(in_progress|scheduled):1/.test(await redis.info('persistence'))) await new Promise((resolve) => setTimeout(resolve, AOF_POLL_MS));
    });
  }

  async #ask<T>(question: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(this.socket);
    try {
      return await question(redis);
    } finally {
      redis.disconnect();
    }
  }
}
