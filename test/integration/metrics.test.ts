import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { run, type Running } from '../../src/run.js';
import { Wallet } from '../../src/database/entities/wallet.entity.js';
import { createLogger } from '../../src/logging.js';
import { testConfig } from '../support/frontrow.js';
import { eventually } from '../support/eventually.js';
import { openSocket } from '../support/raw-socket.js';
import { queueOf } from '../support/queue.js';
import { only, saleOf } from '../support/sale.js';

let frontrow: Frontrow;
beforeAll(async () => {
  frontrow = await startFrontrow({ worker: true, brokenOnPurpose: { invariants: ['balance-is-ledger'], because: 'a balance is raised without money, to be found stale' } });
});
afterAll(() => frontrow.stop());

const scrape = async (): Promise<string> => (await fetch(`${frontrow.client().url}/metrics`)).text();
/** Value of the series with these labels, in any order; 0 when there is none. */
async function valueOf(name: string, labels: Record<string, string> = {}): Promise<number> {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const line = (await scrape()).split('\n').find((text) => text.startsWith(name) && /[ {]/.test(text[name.length] ?? '') && wanted.every((label) => text.includes(label)));
  return line ? Number(line.split(' ').at(-1)) : 0;
}

test('O4: operations are counted by the schema’s names and by code, never by what a client calls them', async () => {
  const before = await valueOf('frontrow_operations_total', { type: 'query', field: 'now', code: 'OK' });
  await frontrow.client().raw('query ClientsOwnName { clientsAlias: now }', {});
  await frontrow.client().raw('{ me { id } }', {});
  await frontrow.client().raw('{ now currency }', {});
  await frontrow.client().raw('{ clientsMistake }', {});
  await frontrow.client().raw('{', {});
  expect(await valueOf('frontrow_operations_total', { type: 'query', field: 'now', code: 'OK' })).toBe(before + 1);
  expect(await valueOf('frontrow_operations_total', { type: 'query', field: 'me', code: 'UNAUTHENTICATED' })).toBe(1);
  expect(await valueOf('frontrow_operations_total', { type: 'query', field: 'several', code: 'OK' })).toBe(1);
  expect(await valueOf('frontrow_operations_total', { type: 'invalid', field: 'invalid', code: 'BAD_USER_INPUT' })).toBe(2);
  expect(await valueOf('frontrow_operation_seconds_count', { type: 'query', field: 'me' })).toBe(1);
  expect(await scrape()).not.toMatch(/clients/i);
});

test('O4: sockets, subscriptions and their events are counted', async () => {
  const [concert, buyer] = await Promise.all([frontrow.build.concert({ saleOpensAt: new Date(Date.now() + 60_000) }), frontrow.build.buyer()]);
  await queueOf(frontrow).join(buyer, concert.id);
  const raw = await openSocket(frontrow.client().url);
  await raw.init({ authorization: `Bearer ${buyer.accessToken}` });
  raw.send({ type: 'subscribe', id: '1', payload: { query: 'subscription ($id: ID!) { queuePosition(concertId: $id) { position } }', variables: { id: concert.id } } });
  expect((await raw.next()).payload.data.queuePosition.position).toBe(1);
  expect(await valueOf('frontrow_sockets_open')).toBe(1);
  expect(await valueOf('frontrow_subscriptions_open', { field: 'queuePosition' })).toBe(1);
  expect(await valueOf('frontrow_subscription_events_total', { field: 'queuePosition' })).toBeGreaterThanOrEqual(1);
  expect(await valueOf('frontrow_operations_total', { type: 'subscription', field: 'queuePosition', code: 'OK' })).toBe(1);
  expect(await eventually(async () => (await valueOf('frontrow_queue_waiting')) === 1, 'the waiter to be counted')).toBe(true);
  raw.close();
  await eventually(async () => (await valueOf('frontrow_sockets_open')) === 0 && (await valueOf('frontrow_subscriptions_open', { field: 'queuePosition' })) === 0, 'the socket to be gone');
});

test('O4: an admission, a hold, a refusal at the gate and a transaction run again are counted by one each', async () => {
  const figures = () =>
    Promise.all([
      valueOf('frontrow_queue_admitted_total'),
      valueOf('frontrow_holds_total', { outcome: 'HELD' }),
      valueOf('frontrow_reserve_refused_total', { by: 'gate' }),
      valueOf('frontrow_transaction_retries_total', { reason: 'version' }),
    ]);
  const [admitted, held, refused, retried] = await figures();
  const [concert, buyer] = await Promise.all([frontrow.build.concert(), frontrow.build.buyer()]);
  const { token } = await queueOf(frontrow).join(buyer, concert.id);
  await eventually(async () => (await queueOf(frontrow).poll(buyer, concert.id))?.status === 'ACTIVE', 'the admission');
  const sale = saleOf(frontrow);
  await sale.hold({ accessToken: buyer.accessToken, queueToken: token }, concert.scheduleId, [1]);
  only(await sale.reserve(await frontrow.build.admittedBuyer(concert.id), concert.scheduleId, [1]), 'SeatsUnavailable');
  let tries = 0;
  await frontrow.app.transactions.run(async (em) => {
    const wallet = await em.findOneOrFail(Wallet, { userId: buyer.id });
    if ((tries += 1) === 1) await frontrow.app.transactions.fork().nativeUpdate(Wallet, { userId: buyer.id }, { version: wallet.version + 1 });
    wallet.balance += 1;
  });
  expect(await figures()).toEqual([admitted! + 1, held! + 1, refused! + 1, retried! + 1]);
});

test('O4: the rest of what an operator watches is there', async () => {
  const text = await scrape();
  for (const name of [
    'frontrow_queue_active', 'frontrow_queue_admitted_total', 'frontrow_holds_total', 'frontrow_transaction_retries_total',
    'frontrow_database_pool_wait_seconds_count', 'frontrow_job_lag_seconds', 'nodejs_eventloop_lag_p99_seconds', 'process_resident_memory_bytes',
  ]) expect(text).toContain(name);
  expect(await valueOf('frontrow_database_pool_wait_seconds_count')).toBeGreaterThan(0);
  await eventually(async () => (await valueOf('frontrow_job_lag_seconds_count', { job: 'admission' })) > 0, 'an admission to have run');
});

test('O4: a process that only works has health and metrics of its own, and no GraphQL', async () => {
  const worker: Running = await run(testConfig({ ROLES: 'worker' }), frontrow.app.stores, createLogger('silent'));
  try {
    expect(worker.url).toBeNull();
    const url = worker.operatorUrl!;
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('frontrow_job_lag_seconds');
    expect((await fetch(`${url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"query":"{ now }"}' })).status).toBeGreaterThanOrEqual(404);
  } finally {
    await worker.close();
  }
});
