import { Reservation } from '../../src/database/entities/reservation.entity.js';
import { ReservationSeat } from '../../src/database/entities/reservation-seat.entity.js';
import { topics } from '../../src/redis/pubsub.js';
import { createLogger } from '../../src/logging.js';
import { run, type Running } from '../../src/run.js';
import type { Buyer } from '../support/builder.js';
import { RefreshSessionDocument, WatchQueuePositionDocument } from '../graphql/operations.js';
import { websocketClient } from '../support/client.js';
import { collect } from '../support/collect.js';
import { eventually, subscribed } from '../support/eventually.js';
import { startFrontrow, testConfig, type Frontrow } from '../support/frontrow.js';
import { openSocket, type RawSocket } from '../support/raw-socket.js';
import { queueOf, sequenceOf } from '../support/queue.js';
import { redisProxy, type RedisProxy } from '../support/redis-proxy.js';
import { dataOf, saleOf } from '../support/sale.js';

/** However a subscription ends, nobody goes on listening for it at Redis. */

let frontrow: Frontrow;
let toDatabase: RedisProxy;
/** An instance whose way to the database can be cut. */
let instance: Running;
beforeAll(async () => {
  frontrow = await startFrontrow({ brokenOnPurpose: { invariants: ['held-is-reserved', 'told-is-true'], because: 'the reservation of an event is deleted before it is read' } });
  const { database, redis } = frontrow.app.stores as { database: { socketPath: string; name: string }; redis: string };
  toDatabase = await redisProxy(database.socketPath);
  instance = await run(testConfig({ ROLES: 'api' }), { database: { ...database, socketPath: toDatabase.address }, redis }, createLogger('silent'));
});
afterAll(async () => {
  await instance.close();
  await toDatabase.close();
  await frontrow.stop();
});

async function watching(): Promise<{ buyer: Buyer; reservationId: string; raw: RawSocket; topic: string }> {
  const concert = await frontrow.build.concert({ seats: 2 });
  const buyer = await frontrow.build.admittedBuyer(concert.id);
  const { id } = await saleOf(frontrow).hold(buyer, concert.scheduleId, [1]);
  const raw = await openSocket(instance.url!);
  await raw.init({ authorization: `Bearer ${buyer.accessToken}` });
  const topic = topics.reservationChanged(buyer.id);
  raw.send({ type: 'subscribe', id: '1', payload: { query: 'subscription { reservationChanged { id status } }' } });
  await subscribed(frontrow, topic);
  return { buyer, reservationId: id, raw, topic };
}

const nobodyListens = (topic: string): Promise<true> =>
  eventually(async () => Number(((await frontrow.app.redis.pubsub('NUMSUB', topic)) as [string, number])[1]) === 0, `nobody to listen to ${topic}`);

test('an event whose row is gone ends the subscription with its error, the socket stays, and nobody listens any more', async () => {
  const { reservationId, raw, topic } = await watching();
  const em = frontrow.app.transactions.fork();
  await em.nativeDelete(ReservationSeat, { reservationId });
  await em.nativeDelete(Reservation, { id: reservationId });
  await frontrow.app.pubsub.publish<'reservationChanged'>(topic, { reservationId });
  expect(await raw.next()).toMatchObject({ type: 'error', id: '1', payload: [{ extensions: { code: 'NOT_FOUND' } }] });
  await nobodyListens(topic);
  raw.send({ type: 'ping' });
  expect((await raw.next()).type).toBe('pong');
  raw.close();
});

test('an event that cannot be read because the database is gone ends the subscription with SERVICE_UNAVAILABLE, and nobody listens any more', async () => {
  const { reservationId, raw, topic } = await watching();
  await toDatabase.cut();
  await frontrow.app.pubsub.publish<'reservationChanged'>(topic, { reservationId });
  expect(await raw.next()).toMatchObject({ type: 'error', id: '1', payload: [{ extensions: { code: 'SERVICE_UNAVAILABLE' } }] });
  await nobodyListens(topic);
  await toDatabase.restore();
  raw.close();
});

test('Q3: a token that ends in mid-queue closes the socket with 4403; its client comes back with a fresh one and finds the same place', async () => {
  const queue = queueOf(frontrow);
  const concert = await frontrow.build.concert();
  const [ahead, buyer] = await frontrow.build.buyers(2);
  await queue.setPolicy(concert.id, { activeMax: 0 });
  await queue.joinInTurn([ahead!], concert.id);
  const joined = await queue.join(buyer!, concert.id);
  const issuedAt = new Date(Date.now() - frontrow.app.config.accessTokenTtlMs + 3000);
  const nearlyOver = await frontrow.app.tokens.signAccess({ id: buyer!.id, role: 'USER' }, buyer!.sessionId, issuedAt);
  const refresh = async (): Promise<string> =>
    dataOf(await frontrow.client().run(RefreshSessionDocument, { refreshToken: frontrow.app.tokens.signRefresh(buyer!.sessionId, 1) })).refreshSession.accessToken;

  const closings: number[] = [];
  let heard = Infinity;
  let token: string | null = nearlyOver.token;
  const client = websocketClient(instance.url!, {}, {
    retryAttempts: 3,
    retryWait: () => Promise.resolve(),
    connectionParams: async () => {
      const authorization = `Bearer ${token ?? (await refresh())}`;
      token = null;
      return { authorization };
    },
    on: {
      closed: (event) => {
        closings.push((event as CloseEvent).code);
        heard = watched.messages.length;
      },
    },
  });
  const watched = collect(client, WatchQueuePositionDocument, { concertId: concert.id });
  await watched.until(({ queuePosition }) => queuePosition.position === 2);
  await eventually(() => watched.messages.length > heard, 'the position over a new socket');
  expect(closings).toEqual([4403]);
  expect(watched.messages.at(-1)!.queuePosition).toMatchObject({ status: 'WAITING', position: 2 });
  expect(sequenceOf((await queue.join({ ...buyer!, accessToken: await refresh() }, concert.id)).token)).toBe(sequenceOf(joined.token));

  await queue.leave(ahead!, concert.id);
  await queue.tick();
  await watched.until(({ queuePosition }) => queuePosition.position === 1);
  await client.dispose();
});

test('a socket that dies without a word leaves nobody listening', async () => {
  const { raw, topic } = await watching();
  raw.socket.terminate();
  await nobodyListens(topic);
});

test('completing leaves nobody listening', async () => {
  const { raw, topic } = await watching();
  raw.send({ type: 'complete', id: '1' });
  await nobodyListens(topic);
  raw.close();
});
