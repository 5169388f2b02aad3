import { createLogger } from '../../src/logging.js';
import { run, type Running } from '../../src/run.js';
import { REQUEST_DEADLINE_MS } from '../../src/server/limits.js';
import { keys } from '../../src/redis/keys.js';
import { topics } from '../../src/redis/pubsub.js';
import { SILENT_AFTER_MS } from '../../src/database/last-known.js';
import * as operations from '../graphql/operations.js';
import { codeOf, graphqlClient, type Answer } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, testConfig, type Frontrow } from '../support/frontrow.js';
import { openSocket, overSocket } from '../support/raw-socket.js';
import { redisProxy, type RedisProxy } from '../support/redis-proxy.js';
import { dataOf, only, saleOf, type Sale } from '../support/sale.js';
import { timed } from '../support/timed.js';

/** An instance whose ways to its stores can be cut or fall silent, beside one that keeps them. Nobody waits longer than the deadline, and all is back soon. */

const PRICE = 10_000;
/** What is cut off, or silent, is in use again this soon after its return. */
const BACK_WITHIN_MS = 10_000;
/** What is known already is told this soon, also by the first who meets the silence. */
const KNOWN_WITHIN_MS = 2 * SILENT_AFTER_MS + 500;
/** They come once the silence is known, at once and then one by one: if each of these waited for it, however shortly, all together would take seconds. */
const READERS = 20;

let frontrow: Frontrow;
let sale: Sale;
let toRedis: RedisProxy;
let toDatabase: RedisProxy;
let instance: Running;

beforeAll(async () => {
  frontrow = await startFrontrow();
  sale = saleOf(frontrow);
  const stores = frontrow.app.stores as { database: { socketPath: string; name: string }; redis: string };
  [toRedis, toDatabase] = await Promise.all([redisProxy(stores.redis), redisProxy(stores.database.socketPath)]);
  const behind = { database: { ...stores.database, socketPath: toDatabase.address }, redis: toRedis.address };
  instance = await run(testConfig({ ROLES: 'api,worker', RATE_LIMIT: 'on', DATABASE_POOL_MAX: '4', SWEEP_INTERVAL_MS: '500' }), behind, createLogger('silent'));
});
afterAll(async () => {
  await instance.close();
  await Promise.all([toRedis.close(), toDatabase.close()]);
  await frontrow.stop();
});

const there = () => graphqlClient(instance.url!);
const charge = (buyer: { accessToken: string }, key: string) => there().run(operations.ChargeDocument, { input: { amount: 1, idempotencyKey: key } }, buyer);
const CATALOGUE = `query ($id: ID!) {
  concerts(first: 5) { nodes { id } } schedules(concertId: $id) { id availableSeats }
  concert(id: $id) { title soldOut venue { name } prices { grade amount } schedules(availableOnly: true) { id availableSeats concert { id } } }
}`;

async function oneByOne(act: () => Promise<void>): Promise<void> {
  for (let reader = 0; reader < READERS; reader += 1) await act();
}

async function inTime<T>(work: Promise<T>, limitMs = REQUEST_DEADLINE_MS): Promise<T> {
  const { result, ownMs } = await timed(() => work);
  expect(ownMs).toBeLessThan(limitMs);
  return result;
}

/** Asked again until it is well, each time answered by the deadline. */
async function back(ask: () => Promise<Answer<unknown>>): Promise<void> {
  const { ms } = await timed(() => eventually(async () => (await inTime(ask())).data && true, 'the store to be in use again'));
  expect(ms).toBeLessThan(BACK_WITHIN_MS);
}

const cut = (proxy: RedisProxy) => ({ leave: () => proxy.cut(), come: () => proxy.restore() });
const hush = (proxy: RedisProxy) => ({ leave: async () => proxy.silence(), come: async () => proxy.speak() });

describe.each([['cut off', cut], ['silent, its old connections for ever', hush]])('a database that is %s', (_how, faultOf) => {
  test('the catalogue is told as it was last known, what was never read, is not known or changes something is SERVICE_UNAVAILABLE in time, and nothing old is told when it is back', async () => {
    const { leave, come } = faultOf(toDatabase);
    const [concert, unread] = [await frontrow.build.concert({ seats: 3, price: PRICE }), await frontrow.build.concert()];
    const buyer = await frontrow.build.buyer();
    const read = (id = concert.id) => there().raw(CATALOGUE, { id }, buyer);
    const known = dataOf(await read());
    expect(known.concert.prices[0].amount).toBe(PRICE);
    await leave();
    expect(dataOf(await inTime(read(), KNOWN_WITHIN_MS))).toEqual(known);
    for (const answer of await inTime(Promise.all(Array.from({ length: READERS }, () => read())))) expect(answer.data).toEqual(known);
    await inTime(oneByOne(async () => expect(dataOf(await read())).toEqual(known)), SILENT_AFTER_MS);
    const stranger = await frontrow.build.buyer();
    const [others, charged, unknown, socket] = await inTime(
      Promise.all([
        there().raw('query ($id: ID!) { concert(id: $id) { title } }', { id: unread.id }, buyer),
        charge(buyer, 'away'),
        there().raw('{ currency }', {}, stranger),
        openSocket(instance.url!).then((one) => one.init({ authorization: `Bearer ${stranger.accessToken}` })),
      ]),
    );
    expect([codeOf(others), codeOf(charged), codeOf(unknown), unknown.status]).toEqual([...Array<string>(3).fill('SERVICE_UNAVAILABLE'), 503]);
    expect(socket).toEqual({ code: 1013, reason: 'Try again later' });
    const price = { concertId: concert.id, prices: [{ grade: known.concert.prices[0].grade, amount: PRICE + 1 }] };
    await frontrow.app.services.concerts.setPrices(price.concertId, price.prices);
    expect(dataOf(await read()).concert.prices[0].amount).toBe(PRICE);
    await come();
    await back(() => charge(buyer, 'away'));
    expect(dataOf(await inTime(read())).concert.prices[0].amount).toBe(PRICE + 1);
    expect(await sale.balanceOf(buyer.id)).toBe(1);
  });
});

test('without the database what another process has read for this one is told too, beside what it has not, and not what this one had read before', async () => {
  const [changed, other] = [await frontrow.build.concert({ price: PRICE }), await frontrow.build.concert({ price: PRICE })];
  const prices = '{ prices { grade amount } }';
  const read = async (): Promise<unknown[]> => {
    const { data } = await there().raw(`query ($a: ID!, $b: ID!) { a: concert(id: $a) ${prices} b: concert(id: $b) ${prices} }`, { a: other.id, b: changed.id });
    return [data?.a?.prices[0].amount, data?.b?.prices[0].amount];
  };
  const copies = async (): Promise<string[]> => (await frontrow.app.redis.keys(`${keys.sharedCopy('')}*${changed.id}*`)).filter((key) => !key.endsWith(':lock'));
  expect(await read()).toEqual([PRICE, PRICE]);
  await frontrow.app.services.concerts.setPrices(changed.id, [{ grade: 'R', amount: PRICE + 1 }]);
  const before = await copies();
  await frontrow.client().raw(`query ($id: ID!) { concert(id: $id) ${prices} }`, { id: changed.id });
  const fresh = await eventually(async () => {
    const found = (await copies()).filter((key) => !before.includes(key));
    return found.some((key) => key.includes('prices')) && found;
  }, 'a copy for other processes');
  await Promise.all(fresh.map((copy) => frontrow.app.redis.persist(copy)));
  await toDatabase.cut();
  try {
    const readAnew = () => (instance.app.catalogue.forget(), read());
    await eventually(async () => String(await readAnew()) === String([PRICE, PRICE + 1]), 'the copy to be told');
    await frontrow.app.redis.del(...fresh);
    expect(await readAnew()).toEqual([PRICE, PRICE + 1]);
  } finally {
    await toDatabase.restore();
  }
  await back(() => there().raw('{ now }', {}));
});

describe.each([['cut off', cut], ['silent, its old connections for ever', hush]])('a Redis that is %s', (_how, faultOf) => {
  test('what needs it is SERVICE_UNAVAILABLE, all else goes on, each by the deadline; and it is in use again soon, messages and jobs too', async () => {
    const { leave, come } = faultOf(toRedis);
    const concert = await frontrow.build.concert({ seats: 4, price: PRICE });
    const buyer = await frontrow.build.admittedBuyer(concert.id, { balance: 5 * PRICE });
    const hold = await sale.hold(buyer, concert.scheduleId, [1]);
    await leave();
    const watching = inTime(overSocket(instance.url!, 'subscription ($id: ID!) { queuePosition(concertId: $id) { position } }', { id: concert.id }, { authorization: `Bearer ${buyer.accessToken}` }));
    const [paid, charged, read, signedIn, reserved, joined] = await inTime(
      Promise.all([
        there().run(operations.PayDocument, { input: { reservationId: hold.id } }, buyer),
        charge(buyer, 'redis away'),
        there().raw(CATALOGUE, { id: concert.id }),
        there().raw('mutation { signIn(input: { email: "nobody@example.com", password: "not the password" }) { __typename } }', {}),
        there().run(operations.ReserveDocument, { input: { scheduleId: concert.scheduleId, seatNumbers: [2] } }, buyer),
        there().raw('mutation ($id: ID!) { joinQueue(concertId: $id) { token } }', { id: concert.id }, buyer),
      ]),
    );
    only(dataOf(paid).pay, 'Payment');
    only(dataOf(charged).charge, 'Charge');
    expect(dataOf(read).concert.schedules).toHaveLength(1);
    expect(dataOf(signedIn).signIn.__typename).toBe('InvalidCredentials');
    expect([codeOf(reserved), codeOf(joined)]).toEqual(['SERVICE_UNAVAILABLE', 'SERVICE_UNAVAILABLE']);
    const [first] = await watching;
    expect((first.payload.errors ?? first.payload)[0].extensions.code).toBe('SERVICE_UNAVAILABLE');
    await come();
    await back(() => there().raw('query ($id: ID!) { queueState: concert(id: $id) { title } queuePosition(concertId: $id) { position } }', { id: concert.id }, buyer));
    await heard();
    await swept(concert);
  });

  /** A message for those who listen gets through again. */
  async function heard(): Promise<void> {
    const topic = topics.reservationChanged('somebody');
    const messages = instance.app.pubsub.iterate<'reservationChanged'>(topic);
    const message = messages.next();
    let came = false;
    void message.then(() => (came = true));
    await eventually(async () => {
      await frontrow.app.pubsub.publish<'reservationChanged'>(topic, { reservationId: 'any' });
      return came;
    }, 'a message');
    await messages.return!();
  }

  /** The worker's own connections are back: it ends a hold whose time is over. */
  async function swept({ id, scheduleId }: { id: string; scheduleId: string }): Promise<void> {
    const buyer = await frontrow.build.admittedBuyer(id);
    const reservation = await sale.hold(buyer, scheduleId, [3]);
    await frontrow.app.orm.em.fork().execute('update reservation set expires_at = date_sub(now(3), interval 1 second) where id = ?', [reservation.id]);
    await eventually(async () => (await sale.reservation(buyer, reservation.id))?.status === 'EXPIRED' && (await endedInDatabase(reservation.id)), 'the worker to end the hold');
  }
  const endedInDatabase = async (id: string): Promise<boolean> => {
    const [row] = await frontrow.app.orm.em.fork().execute<{ status: string }[]>('select status from reservation where id = ?', [id]);
    return row?.status === 'EXPIRED';
  };
});
