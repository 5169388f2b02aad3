import type { Logger } from 'pino';
import { createApp, type App, type AppOptions, type StoreAddresses } from './app.js';
import type { Config } from './config.js';
import { migrate } from './database/migrate.js';
import { watchPool } from './database/pool-watch.js';
import { User } from './database/entities/user.entity.js';
import { DEMO_ACCOUNTS, seedDemo, type DemoAccount } from './database/seeds/demo.js';
import { applyGuards } from './resolvers/access.js';
import { resolvers } from './resolvers/index.js';
import { buildSchema } from './schema/build-schema.js';
import { RELAY_INTERVAL_MS } from './services/relay.service.js';
import { WarmUp } from './services/warm-up.js';
import { startServer, type Server } from './server.js';
import { handlersOf } from './workers/index.js';
import { startWorkers, type Workers } from './workers/start-workers.js';

/** A process of Frontrow in its roles: what index.ts starts and tests start several of. */
export interface Running {
  app: App;
  /** Null without the role api. */
  url: string | null;
  /** Where health and metrics are. */
  operatorUrl: string | null;
  /** What is answered ahead of Apollo; null without the role api. */
  known: Server['known'];
  /** The demo accounts that are there. */
  demoAccounts: DemoAccount[];
  /** How many dates were read before anybody asked, once that is done. */
  warmed: Promise<number>;
  close(): Promise<void>;
}

export async function run(config: Config, stores: StoreAddresses, logger: Logger, options: AppOptions = {}): Promise<Running> {
  const app = await createApp(config, stores, logger, options);
  await migrate(app.orm);
  await watchPool(app.orm, app.databaseSigns, (seconds) => app.metrics.poolWaited(seconds));
  if (config.seedDemo) await seedDemo(app.transactions, (password) => app.passwords.hash(password));
  const demoAccounts = config.seedDemo ? await demoAccountsOf(app) : [];
  const isApi = config.roles.includes('api');
  const server = isApi ? await startServer(app, applyGuards(await buildSchema(resolvers))) : await startOperatorServer(app);
  const workers = config.roles.includes('worker') ? await startRoleWorker(app) : null;
  const warmUp = new WarmUp(app.transactions, app.board, app.logger);
  const warmed = isApi ? warmUp.run() : Promise.resolve(0);
  const close = async (): Promise<void> => {
    warmUp.stop();
    await stop(app, server, workers);
    await warmed;
  };
  return { app, url: isApi ? server!.url : null, operatorUrl: server?.url ?? null, known: server?.known ?? null, demoAccounts, warmed, close };
}

/** A database in use may have none of them, or somebody's account with one of their e-mails. */
async function demoAccountsOf({ transactions, passwords }: App): Promise<DemoAccount[]> {
  const users = await transactions.fork().find(User, { email: { $in: DEMO_ACCOUNTS.map(({ email }) => email) } });
  const found: DemoAccount[] = [];
  for (const account of DEMO_ACCOUNTS) {
    const user = users.find(({ email }) => email === account.email);
    if (user && (await passwords.verify(user.passwordHash, account.password))) found.push(account);
  }
  return found;
}

/** A worker has health and metrics of its own, but beside an api on the same machine and port it works without them. */
async function startOperatorServer(app: App): Promise<Server | null> {
  try {
    return await startServer(app, null);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    app.logger.warn({ port: app.config.port }, 'the port is taken: this worker has no health and no metrics');
    return null;
  }
}

async function startRoleWorker(app: App): Promise<Workers> {
  const beats = { admission: app.config.queue.tickMs, sweep: app.config.sweepIntervalMs, relay: RELAY_INTERVAL_MS };
  return startWorkers(handlersOf(app.services), beats, app.jobs, app.stores.redis, app.metrics, app.logger);
}

async function stop(app: App, server: Server | null, workers: Workers | null): Promise<void> {
  // Each step is taken whatever became of the one before: a socket that would not close keeps no job from being finished.
  const steps = [() => server?.close(), () => workers?.close(app.config.shutdownTimeoutMs), () => app.close()];
  const failures: unknown[] = [];
  for (const step of steps) await Promise.resolve(step()).catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}
