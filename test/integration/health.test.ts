import { v7 as uuid } from 'uuid';
import { startEdge, type Edge } from '../support/edge.js';
import { eventually } from '../support/eventually.js';
import { overSocket } from '../support/raw-socket.js';
import { redisProxy, type RedisProxy } from '../support/redis-proxy.js';

let redis: RedisProxy;
let database: RedisProxy;
let edge: Edge;
beforeAll(async () => {
  edge = await startEdge(
    {
      'Query.mine': { resolve: (_source, _args, context) => context.services.clock.now().then(() => 1) },
      'Query.public': { resolve: (_source, _args, context) => context.services.queue.totals().then(() => 1) },
      'Subscription.ticks': { subscribe: async function* (_source, _args, context) { yield await context.services.queue.totals(); } },
    },
    { DATABASE_POOL_MAX: '2' },
    async (stores) => {
      redis = await redisProxy(stores.redis);
      if (!('socketPath' in stores.database)) throw new Error('The run has a MariaDB on a unix socket.');
      database = await redisProxy(stores.database.socketPath);
      return { redis: redis.address, database: { ...stores.database, socketPath: database.address } };
    },
  );
});
afterAll(async () => {
  await edge.stop();
  await redis.close();
  await database.close();
});

const ready = async (): Promise<{ status: number; body: unknown }> => {
  const response = await fetch(`${edge.url}/health/ready`);
  return { status: response.status, body: await response.json() };
};
const OK = { database: 'ok', redis: 'ok', migrations: 'ok', server: 'ok' };
const recovered = (): Promise<boolean> => eventually(async () => (await ready()).status === 200, 'the server to be ready');

test('O4: a live process says so', async () => {
  const response = await fetch(`${edge.url}/health/live`);
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ status: 'ok' });
});

test('O4: ready names every dependency', async () => {
  expect(await ready()).toEqual({ status: 200, body: { status: 'ready', checks: OK } });
});

test('O4: without Redis the process lives and is not ready; requests that need it are SERVICE_UNAVAILABLE on both transports, and it comes back by itself', async () => {
  await redis.cut();
  expect(await eventually(async () => ((await ready()).status === 503 ? ready() : false), 'not ready')).toEqual({ status: 503, body: { status: 'not ready', checks: { ...OK, redis: 'failed' } } });
  expect((await fetch(`${edge.url}/health/live`)).status).toBe(200);
  const refused = await edge.client.raw('{ public }', {});
  expect(refused.errors![0]!.extensions).toEqual({ code: 'SERVICE_UNAVAILABLE', retryAfterSeconds: 5 });
  const [event] = await overSocket(edge.url, 'subscription { ticks(count: 1) { value } }');
  expect(event.payload[0]?.extensions ?? event.payload.errors[0].extensions).toEqual({ code: 'SERVICE_UNAVAILABLE', retryAfterSeconds: 5 });
  const metrics = await (await fetch(`${edge.url}/metrics`)).text();
  expect(metrics).toMatch(/frontrow_queue_waiting Nan/i);
  await redis.restore();
  await recovered();
});

test('O4: without the database likewise', async () => {
  await database.cut();
  expect(await ready()).toMatchObject({ status: 503, body: { checks: { database: 'failed', redis: 'ok', server: 'ok' } } });
  const refused = await edge.client.raw('{ mine }', {});
  expect(refused.errors![0]!.extensions).toEqual({ code: 'SERVICE_UNAVAILABLE', retryAfterSeconds: 5 });
  const buyerOfNoCache = await edge.app.tokens.signAccess({ id: uuid(), role: 'USER' }, uuid(), new Date());
  const unknown = await fetch(`${edge.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${buyerOfNoCache.token}` },
    body: '{"query":"{ __typename }"}',
  });
  expect([unknown.status, unknown.headers.get('retry-after')]).toEqual([503, '5']);
  expect(await unknown.json()).toMatchObject({ errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE', retryAfterSeconds: 5 } }] });
  expect(JSON.stringify(edge.log())).not.toContain('select ');
  await database.restore();
  await recovered();
  expect((await edge.client.raw('{ mine }', {})).data).toEqual({ mine: 1 });
});
