import type { FastifyInstance } from 'fastify';
import type { App } from '../app.js';
import { within } from '../redis/within.js';

const CHECK_TIMEOUT_MS = 2000;

type State = 'ok' | 'failed' | 'pending' | 'draining';

/** For probes and scrapers. Which error a store gave is for the log, not for whoever asks. */
export function serveHealth(http: FastifyInstance, app: App, isDraining: () => boolean): void {
  http.get('/health/live', async () => ({ status: 'ok' }));

  http.get('/health/ready', async (_request, reply) => {
    const [database, redis, migrations] = await Promise.all([
      check(app, 'database', async () => void (await app.transactions.fork().execute('select 1'))),
      check(app, 'redis', async () => void (await app.redis.ping())),
      check(app, 'migrations', () => migrationsApplied(app)),
    ]);
    const checks = { database, redis, migrations: migrations === 'failed' ? ('pending' as const) : migrations, server: isDraining() ? ('draining' as const) : ('ok' as const) };
    const ready = Object.values<State>(checks).every((state) => state === 'ok');
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', checks });
  });

  http.get('/metrics', async (_request, reply) => reply.type(app.metrics.registry.contentType).send(await app.metrics.registry.metrics()));
}

const migrated = new WeakSet<App>();

/** Migrations only ever go forward, so once is enough. */
async function migrationsApplied(app: App): Promise<void> {
  if (migrated.has(app)) return;
  const pending = await app.orm.migrator.getPending();
  if (pending.length > 0) throw new Error(`${pending.length} migrations are pending`);
  migrated.add(app);
}

async function check(app: App, name: string, work: () => Promise<void>): Promise<State> {
  try {
    await within(work(), CHECK_TIMEOUT_MS);
    return 'ok';
  } catch (error) {
    app.logger.warn({ err: error, dependency: name }, 'not ready');
    return 'failed';
  }
}
