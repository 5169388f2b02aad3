import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { destination } from 'pino';
import { startStores, type RedisServer, type StoreServer } from '../../drills/support/stores.js';
import { makeRunFolder } from '../../scripts/run-folder.js';
import { createApp, type App } from '../../src/app.js';
import { readConfig } from '../../src/config.js';
import { migrate } from '../../src/database/migrate.js';
import { createLogger } from '../../src/logging.js';
import { Builder } from '../../test/support/builder.js';
import { freePort } from '../../test/support/free-port.js';
import { JobProcess } from './child-process.js';
import { pinProcess } from './pin.js';
import { closeAll } from './close-all.js';
import { benchArgs, startServer, type Server, type ServerOptions } from './process.js';

export interface WorldOptions {
  /** Laid over what every Frontrow process is started with. */
  env?: Record<string, string>;
  /** Further flags of mariadbd. */
  database?: { flags?: string[] };
  redis?: { aof?: boolean };
}

/** Private stores, and the servers that are started over them. */
export interface BenchWorld {
  readonly folder: string;
  readonly database: StoreServer;
  readonly redis: RedisServer;
  /** On a port of 127.0.0.1, as servers reach them. */
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** Access tokens are signed with it. */
  readonly secret: string;
  /** An observer in this process: for arranging and final reads. */
  readonly app: App;
  readonly build: Builder;
  /** The built program. The role api is pinned to the core of the server under test. */
  frontrow(role: 'api' | 'worker', env?: Record<string, string>): Promise<Server>;
  /** A program of bench/sides on the core of the server under test. */
  side(file: string, env?: Record<string, string>): Promise<Server>;
  /** A program of the bench that answers jobs, on the other core. */
  jobs(file: string): Promise<JobProcess>;
  close(): Promise<void>;
}

const DATABASE_USER = 'bench';
const DATABASE_NAME = 'frontrow';
/** As many as the settings take: every guard counts, none refuses. */
const MANY = '1000000';
const TWO_HOURS_MS = String(2 * 3_600_000);

/** What Frontrow is started with in all benches: production, with every guard on and its numbers raised. */
const RAISED = {
  NODE_ENV: 'production', RATE_LIMIT: 'on', RATE_LIMIT_USER_MAX: MANY, RATE_LIMIT_ADDRESS_MAX: MANY, ACCESS_TOKEN_TTL_MS: TWO_HOURS_MS,
  QUEUE_ADMIT_COUNT: MANY, QUEUE_ADMIT_INTERVAL_MS: '100', QUEUE_ACTIVE_MAX: MANY, QUEUE_PASS_TTL_MS: TWO_HOURS_MS, QUEUE_PASS_ATTEMPTS_MAX: MANY,
  CHARGE_MAX: '1000000000', BALANCE_MAX: '1000000000000',
};

export async function startWorld(options: WorldOptions, say: (line: string) => void): Promise<BenchWorld> {
  const folder = makeRunFolder(tmpdir(), 'frontrow-bench-');
  const closing: (() => Promise<unknown>)[] = [async () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 })];
  let isClosed = false;
  const close = (): Promise<void> => {
    isClosed = true;
    return closeAll(closing);
  };
  try {
    const [databasePort, redisPort] = await Promise.all([freePort(), freePort()]);
    const flags = ['--skip-networking=0', '--bind-address=127.0.0.1', `--port=${databasePort}`, ...(options.database?.flags ?? [])];
    const { database, redis } = await startStores(folder, { database: { flags }, redis: options.redis }, say);
    closing.push(() => Promise.all([database.kill(), redis.kill()]));
    for (const { pid } of [database, redis]) pinProcess('rest', pid);
    const databaseUrl = `mysql://${DATABASE_USER}@127.0.0.1:${databasePort}/${DATABASE_NAME}`;
    const redisUrl = `redis://127.0.0.1:${redisPort}`;
    const env = {
      PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', TMPDIR: folder, DATA_DIR: join(folder, 'data'), PORT: '0', HOST: '127.0.0.1',
      ...RAISED, AUTH_SECRET: randomBytes(32).toString('hex'), DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, ...options.env,
    };
    const app = await observe(env, database.socket, redis.socket, folder);
    closing.push(() => app.close().catch(() => undefined));
    await openPorts(app, redisPort);
    /** Ended with the world, also if that ends while it still starts. */
    const ending = <Started>(starting: Promise<Started>, end: (started: Started) => Promise<unknown>): Promise<Started> => {
      const ended = (): Promise<unknown> => starting.then(end, () => undefined);
      if (isClosed) void ended().catch(() => undefined);
      else closing.push(ended);
      return starting;
    };
    const start = (options: Omit<ServerOptions, 'folder'>): Promise<Server> => ending(startServer({ ...options, folder }), (server) => server.stop());
    return {
      folder, database, redis, databaseUrl, redisUrl, secret: env.AUTH_SECRET, app, build: new Builder(app), close,
      frontrow: (role, more = {}) =>
        start({ name: `frontrow-${role}`, args: [join(process.cwd(), 'dist/index.js')], core: role === 'api' ? 'server' : 'rest', env: { ...env, ROLES: role, ...more } }),
      side: (file, more = {}) => start({ name: file, args: benchArgs(`bench/sides/${file}`), core: 'server', env: { ...env, ...more } }),
      jobs: (file) => ending(JobProcess.start(file, folder), (jobs) => jobs.close()),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function observe(env: Record<string, string>, database: string, redis: string, folder: string): Promise<App> {
  const logger = createLogger('warn', destination(join(folder, 'observer.log')));
  const app = await createApp(readConfig(env), { database: { socketPath: database, name: DATABASE_NAME }, redis }, logger);
  await migrate(app.orm);
  return app;
}

/** The stores of our own listen on unix sockets alone; the settings of a Frontrow process know only URLs. */
async function openPorts(app: App, redisPort: number): Promise<void> {
  const connection = app.orm.em.getConnection();
  await connection.execute(`create user if not exists ${DATABASE_USER}@'127.0.0.1'`);
  await connection.execute(`grant all on *.* to ${DATABASE_USER}@'127.0.0.1'`);
  await app.redis.config('SET', 'bind', '127.0.0.1');
  await app.redis.config('SET', 'port', String(redisPort));
}
