import { createLogger } from '../../src/logging.js';
import { connectDatabase, POOL_WAITING_MAX } from '../../src/database/orm.config.js';
import { run, type Running } from '../../src/run.js';
import { isStoreAway } from '../../src/server/store-errors.js';
import { REQUEST_DEADLINE_MS } from '../../src/server/limits.js';
import { ChargeDocument } from '../graphql/operations.js';
import { graphqlClient } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, testConfig, type Frontrow } from '../support/frontrow.js';
import { openSocket } from '../support/raw-socket.js';
import { redisProxy, type RedisProxy } from '../support/redis-proxy.js';
import { saleOf } from '../support/sale.js';
import { timed } from '../support/timed.js';

/** A store that takes connections and commands and answers none of them, which is worse than one that is gone. */

let frontrow: Frontrow;
let toRedis: RedisProxy;
let toDatabase: RedisProxy;
let instance: Running;
let database: { socketPath: string; name: string };
const logged: string[] = [];

beforeAll(async () => {
  frontrow = await startFrontrow();
  const stores = frontrow.app.stores as { database: { socketPath: string; name: string }; redis: string };
  [toRedis, toDatabase] = await Promise.all([redisProxy(stores.redis), redisProxy(stores.database.socketPath)]);
  database = { ...stores.database, socketPath: toDatabase.address };
  instance = await run(testConfig({ ROLES: 'api' }), { database, redis: toRedis.address }, createLogger('warn', { write: (line) => logged.push(line) }));
});
afterAll(async () => {
  await instance.close();
  await Promise.all([toRedis.close(), toDatabase.close()]);
  await frontrow.stop();
});

/** Connections that were silenced end, and new ones answer. */
async function wake(proxy: RedisProxy): Promise<void> {
  await proxy.cut();
  await proxy.restore();
}

test('a silent database: queries, mutations and who is yet to be known get SERVICE_UNAVAILABLE by the deadline, repeating is safe, and all is well when it speaks again', async () => {
  const [buyer, stranger, watcher] = await frontrow.build.buyers(3);
  const client = graphqlClient(instance.url!);
  const charge = () => client.run(ChargeDocument, { input: { amount: 1000, idempotencyKey: 'while silent' } }, buyer!);
  await client.raw('{ me { id } }', {}, buyer);
  const socket = await openSocket(instance.url!);
  toDatabase.silence();
  const connecting = socket.init({ authorization: `Bearer ${watcher!.accessToken}` });
  const { result: answers, ownMs } = await timed(() => Promise.all([client.raw('{ now }', {}), charge(), client.raw('{ me { id } }', {}, stranger), client.raw('{ currency }', {})]));
  expect(ownMs).toBeLessThan(REQUEST_DEADLINE_MS);
  for (const answer of answers.slice(0, 3)) {
    expect(answer.errors).toMatchObject([{ message: expect.stringContaining('Repeating the same call is safe'), extensions: { code: 'SERVICE_UNAVAILABLE', retryAfterSeconds: 5 } }]);
  }
  expect(answers[3]!.data).toEqual({ currency: 'KRW' });
  expect(await connecting).toEqual({ code: 1013, reason: 'Try again later' });
  expect(await instance.app.metrics.registry.metrics()).toContain('frontrow_operations_total{type="mutation",field="charge",code="SERVICE_UNAVAILABLE"} 1');

  await wake(toDatabase);
  await eventually(async () => (await charge()).data?.charge.__typename === 'Charge', 'the database to answer');
  expect(await saleOf(frontrow).balanceOf(buyer!.id)).toBe(1000);
});

test('a silent database: who comes when the line for a connection is full is turned away at once', async () => {
  const orm = await connectDatabase(database, { poolMax: 2 });
  toDatabase.silence();
  const ask = () => orm.em.fork().execute('select 1').then(() => 'answered', (error: unknown) => error);
  const waiting = Array.from({ length: POOL_WAITING_MAX + 2 }, ask);
  const tooMany = await timed(() => Promise.race([ask(), ...waiting]));
  expect(isStoreAway(tooMany.result)).toBe(true);
  expect(String(tooMany.result)).toContain('Queue limit reached');
  expect(tooMany.ownMs).toBeLessThan(2000);
  await wake(toDatabase);
  await Promise.all(waiting);
  expect(await ask()).toBe('answered');
  await orm.close();
});

test('O4: with a silent Redis /metrics comes within 2 s, with every figure but those of the queues', async () => {
  const scrape = async (): Promise<string> => (await fetch(`${instance.url}/metrics`)).text();
  expect(await scrape()).toContain('frontrow_queue_waiting 0');
  toRedis.silence();
  await eventually(async () => (await scrape()).includes('frontrow_queue_waiting Nan'), 'the figures that are remembered to be out of date');
  const { result, ownMs } = await timed(scrape);
  expect(ownMs).toBeLessThan(2000);
  expect(result).toContain('frontrow_queue_active Nan');
  for (const figure of ['process_resident_memory_bytes', 'frontrow_sockets_open', 'frontrow_database_pool_wait_seconds_count']) expect(result).toContain(figure);
  await wake(toRedis);
  await eventually(async () => (await scrape()).includes('frontrow_queue_waiting 0'), 'Redis to answer');
});

test('a process whose stores are both silent stops all the same, its jobs and its connections too', async () => {
  const SHUTDOWN_TIMEOUT_MS = 500;
  const stores = { database, redis: toRedis.address };
  const stopping = await run(testConfig({ ROLES: 'api,worker', SHUTDOWN_TIMEOUT_MS: String(SHUTDOWN_TIMEOUT_MS) }), stores, createLogger('silent'));
  for (const proxy of [toDatabase, toRedis]) proxy.silence();
  const asked = graphqlClient(stopping.url!).raw('{ now }', {}).catch((error: unknown) => error);
  const { ownMs } = await timed(() => stopping.close().catch((error: unknown) => error));
  expect(ownMs).toBeLessThan(REQUEST_DEADLINE_MS);
  await eventually(() => stopping.app.redis.status === 'end', 'the connection to Redis to end');
  await asked;
  await Promise.all([wake(toDatabase), wake(toRedis)]);
});
