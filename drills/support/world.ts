import { randomBytes } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { destination } from 'pino';
import { makeRunFolder } from '../../scripts/run-folder.js';
import { createApp, type App } from '../../src/app.js';
import { readConfig } from '../../src/config.js';
import { migrate } from '../../src/database/migrate.js';
import { createLogger } from '../../src/logging.js';
import { Builder } from '../../test/support/builder.js';
import { prepareNode, type FrontrowNode } from './processes.js';
import { startStores, type RedisServer, type StoreServer } from './stores.js';

export interface WorldOptions {
  apis?: number;
  workers?: number;
  /** For every process, and for the observer's settings. */
  env?: Record<string, string>;
  /** For one process alone, by its name (api-1, worker-1): fake time, NODE_OPTIONS. */
  nodeEnv?: (name: string) => Record<string, string>;
  /** Further flags of mariadbd. */
  database?: { flags?: string[] };
  /** AOF is on unless told otherwise. */
  redis?: { aof?: boolean };
  say?: (line: string) => void;
}

/** Private stores and Frontrow processes, each of which reaches the stores, and is reached, through proxies of its own. */
export interface World {
  /** Everything of it is in here, logs too; removed at the end. */
  readonly folder: string;
  readonly database: StoreServer;
  readonly redis: RedisServer;
  readonly nodes: FrontrowNode[];
  readonly apis: FrontrowNode[];
  readonly workers: FrontrowNode[];
  /** An observer that is connected straight to the stores: for arranging, final reads and invariants. */
  readonly app: App;
  readonly build: Builder;
  close(): Promise<void>;
}

const OBSERVER_CLOSE_TIMEOUT_MS = 3000;

/** What each process is started with: nothing of this process's own environment but where things are. */
function settings(folder: string, env: Record<string, string>): Record<string, string> {
  const kept = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', TMPDIR: folder };
  const ours = { NODE_ENV: 'test', PORT: '0', HOST: '127.0.0.1', SEED_DEMO: 'off', RATE_LIMIT: 'off', LOG_LEVEL: 'warn', DATA_DIR: join(folder, 'data') };
  return { ...kept, ...ours, AUTH_SECRET: randomBytes(32).toString('hex'), ...env };
}

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { apis = 2, workers = 1, nodeEnv = () => ({}), say = () => undefined } = options;
  ensureBuilt();
  const folder = makeRunFolder(tmpdir(), 'frontrow-drill-');
  const closing: (() => Promise<void>)[] = [async () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 })];
  const close = async (): Promise<void> => {
    while (closing.length > 0) await closing.pop()!();
  };
  try {
    say(`starting the stores, ${apis} api and ${workers} worker processes`);
    const env = settings(folder, options.env ?? {});
    const { database, redis } = await startStores(folder, options, say);
    closing.push(async () => void (await Promise.all([database.kill(), redis.kill()])));
    const app = await observe(env, database.socket, redis.socket, folder);
    closing.push(() => closeObserver(app, [database, redis]));
    const sockets = { database: database.socket, redis: redis.socket };
    const names = [...Array.from({ length: apis }, (_, index) => `api-${index + 1}`), ...Array.from({ length: workers }, (_, index) => `worker-${index + 1}`)];
    const nodes = await Promise.all(
      names.map(async (name) => {
        const node = await prepareNode({ name, role: name.startsWith('api') ? 'api' : 'worker', folder, sockets, env: { ...env, ...nodeEnv(name) } });
        closing.push(() => node.close());
        return node;
      }),
    );
    await Promise.all(nodes.map((node) => node.start()));
    const ofRole = (role: FrontrowNode['role']): FrontrowNode[] => nodes.filter((node) => node.role === role);
    return { folder, database, redis, nodes, apis: ofRole('api'), workers: ofRole('worker'), app, build: new Builder(app), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Also brings the tables up to date, so that the processes that start beside each other find them done. */
async function observe(env: Record<string, string>, database: string, redis: string, folder: string): Promise<App> {
  const config = readConfig({ ...env, DATABASE_URL: 'mysql://observer/frontrow' });
  const logger = createLogger('warn', destination(join(folder, 'observer.log')));
  const app = await createApp(config, { database: { socketPath: database, name: 'frontrow' }, redis }, logger);
  await migrate(app.orm);
  return app;
}

/** A frozen store would let it wait, and a dead one may. */
async function closeObserver(app: App, stores: StoreServer[]): Promise<void> {
  for (const store of stores) store.resume();
  const timer = new AbortController();
  await Promise.race([app.close().catch(() => undefined), delay(OBSERVER_CLOSE_TIMEOUT_MS, undefined, { signal: timer.signal }).catch(() => undefined)]);
  timer.abort();
}

function ensureBuilt(): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/build.mjs', '--if-stale'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`The build failed:\n${stdout}${stderr}`);
}
