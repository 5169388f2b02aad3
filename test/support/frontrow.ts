import { createLogger } from '../../src/logging.js';
import { readConfig, type Config } from '../../src/config.js';
import { run, type Running } from '../../src/run.js';
import type { App } from '../../src/app.js';
import { directed } from './both-ways.js';
import { Builder } from './builder.js';
import { graphqlClient, type GraphqlClient } from './client.js';
import { assertInvariants, type BrokenOnPurpose } from './invariants.js';
import { freshStores } from './stores.js';

/** A running Frontrow of one or more instances on stores of its own, for one test file. */
export interface Frontrow {
  instances: Running[];
  /** App of the first instance: services, stores and EntityManagers for arranging and checking. */
  app: App;
  build: Builder;
  /** A GraphQL client over HTTP of the n-th instance. */
  client(instance?: number): GraphqlClient;
  /** Throws when what must always be true of the database is not. Files whose negative controls break it ask before those. */
  checkInvariants(): Promise<void>;
  /** The same once more, but for what the file breaks on purpose. */
  stop(): Promise<void>;
}

export interface FrontrowOptions {
  instances?: number;
  /** Off by default: most tests want to say themselves when a job runs. */
  worker?: boolean;
  env?: Record<string, string>;
  /** A Redis of the file's own instead of its part of the run's. */
  redis?: string;
  brokenOnPurpose?: BrokenOnPurpose;
}

const TEST_ENV = {
  NODE_ENV: 'test',
  PORT: '0',
  HOST: '127.0.0.1',
  LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'silent',
  AUTH_SECRET: 'a-secret-for-tests-only-0123456789',
  RATE_LIMIT: 'off',
  SEED_DEMO: 'off',
};

export const testConfig = (env: Record<string, string> = {}): Config => readConfig({ ...TEST_ENV, ...env });

export async function startFrontrow({ instances = 1, worker = false, env = {}, redis, brokenOnPurpose }: FrontrowOptions = {}): Promise<Frontrow> {
  const fresh = await freshStores();
  const stores = { ...fresh, redis: redis ?? fresh.redis };
  const config = testConfig({ ROLES: worker ? 'api,worker' : 'api', ...env });
  const logger = createLogger(config.logLevel);
  const running: Running[] = [];
  for (let index = 0; index < instances; index += 1) running.push(await run(config, stores, logger));
  for (const one of running) directed(one.url, one.app, one.known);
  const app = running[0]!.app;
  return {
    instances: running,
    app,
    build: new Builder(app),
    client: (instance = 0) => graphqlClient(running[instance]!.url!),
    checkInvariants: () => assertInvariants(stores.database, config),
    stop: async () => {
      for (const one of running) await one.close();
      await assertInvariants(stores.database, config, brokenOnPurpose).finally(() => stores.drop());
    },
  };
}
