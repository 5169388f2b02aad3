import { QueuePass } from '../../src/database/entities/queue-pass.entity.js';
import { changeOf, type OutgoingEvent } from '../../src/domain/event.js';
import { keys } from '../../src/redis/keys.js';
import { topics } from '../../src/redis/pubsub.js';
import { SeatGate } from '../../src/redis/seat-gate.js';
import { TOLD_SEATS_WORDS_MAX, ToldSeats } from '../../src/redis/told-seats.js';
import { EventStream } from '../../src/redis/event-stream.js';
import { FollowUps, TOLD_KNOWN_MAX } from '../../src/services/follow-ups.js';
import type { SeatBoard } from '../../src/services/seat-board.js';
import { RelayService } from '../../src/services/relay.service.js';
import * as operations from '../graphql/operations.js';
import type { AdmittedBuyer, BuiltConcert } from '../support/builder.js';
import { websocketClient } from '../support/client.js';
import { collect } from '../support/collect.js';
import { eventually, subscribed } from '../support/eventually.js';
import { DyingTransactions, followUpsOf } from '../support/follow-ups.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { servicesOf } from '../support/services.js';
import { dataOf, only, saleOf, viewerOf, type Sale } from '../support/sale.js';

/** A process that dies between its commit and what follows it: the events of the commit bring that about, within 10 s. */

const PRICE = 10_000;
const HEALED_MS = 10_000;

let frontrow: Frontrow;
let sale: Sale;
let concert: BuiltConcert;
beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2 });
  sale = saleOf(frontrow);
});
beforeEach(async () => {
  concert = await frontrow.build.concert({ seats: 4, price: PRICE });
});
afterAll(() => frontrow.stop());

const buyerOf = (): Promise<AdmittedBuyer> => frontrow.build.admittedBuyer(concert.id, { balance: 5 * PRICE });
const relay = () => frontrow.instances[1]!.app.services.relay.run();
/** The relay is left to see to the gate and the seats, whoever said that this was done. */
const unsay = () => frontrow.app.redis.del(keys.toldSeats());
const gateOf = async () => frontrow.app.redis.hgetall(keys.seatGate(await frontrow.app.redisRun.current(), concert.id, concert.scheduleId));

/** Services of a process that dies right after its next commit. */
function dying() {
  const { app } = frontrow;
  const transactions = new DyingTransactions(app);
  return { dead: transactions.dead, ...servicesOf(app, { transactions }) };
}

async function watching(buyer: AdmittedBuyer) {
  const changes = collect(websocketClient(frontrow.instances[1]!.url!, buyer), operations.WatchReservationsDocument, {});
  await subscribed(frontrow, topics.reservationChanged(buyer.id));
  return changes;
}
const statusesOf = ({ messages }: Awaited<ReturnType<typeof watching>>) => messages.map(({ reservationChanged }) => reservationChanged.status);

test('P4: a hold that was cancelled by a process that died then: the owner hears of it, and the next buyer gets the seats', async () => {
  const [buyer, next] = [await buyerOf(), await buyerOf()];
  const { id } = await sale.hold(buyer, concert.scheduleId, [1, 2]);
  const changes = await watching(buyer);
  const { dead, reservations } = dying();
  void reservations.cancel(viewerOf(buyer), id);
  await dead;
  only(await sale.reserve(next, concert.scheduleId, [1]), 'SeatsUnavailable');
  await relay();
  await changes.until(({ reservationChanged }) => reservationChanged.status === 'CANCELLED');
  await sale.hold(next, concert.scheduleId, [1, 2]);
  changes.stop();
});

test('P4: a hold that was written by a process that died then is told to its owner, who gets it by repeating the call', async () => {
  const buyer = await buyerOf();
  const changes = await watching(buyer);
  const { dead, reservations } = dying();
  void reservations.reserve(viewerOf(buyer), { scheduleId: concert.scheduleId, seatNumbers: [1] });
  await dead;
  await relay();
  const { reservationChanged } = await changes.until((change) => change.reservationChanged.status === 'HELD');
  expect((await sale.hold(buyer, concert.scheduleId, [1])).id).toBe(reservationChanged.id);
  changes.stop();
});

test('P4: a payment by a process that died then: the owner hears of it, and a later refund frees the seats for everyone', async () => {
  const [buyer, next] = [await buyerOf(), await buyerOf()];
  const { id } = await sale.hold(buyer, concert.scheduleId, [1]);
  const changes = await watching(buyer);
  const first = dying();
  void first.payments.pay(viewerOf(buyer), buyer.queueToken, id);
  await first.dead;
  await relay();
  const { reservationChanged } = await changes.until((change) => change.reservationChanged.status === 'CONFIRMED');
  expect(Object.values(await gateOf())[0]).toMatch(/^\|/);

  const second = dying();
  void second.payments.refund(viewerOf(buyer), reservationChanged.payment!.id);
  await second.dead;
  only(await sale.reserve(next, concert.scheduleId, [1]), 'SeatsUnavailable');
  await relay();
  await changes.until((change) => change.reservationChanged.status === 'REFUNDED');
  await sale.hold(next, concert.scheduleId, [1]);
  changes.stop();
});

test('negative control: a relay that only publishes leaves the seats of a cancelled hold blocked and its owner untold', async () => {
  const [buyer, next] = [await buyerOf(), await buyerOf()];
  const { id } = await sale.hold(buyer, concert.scheduleId, [1]);
  const changes = await watching(buyer);
  const { dead, reservations } = dying();
  void reservations.cancel(viewerOf(buyer), id);
  await dead;
  class Idle extends FollowUps {
    override apply(): Promise<void> {
      return Promise.resolve();
    }
  }
  const { transactions, redis, redisRun, pubsub, metrics, services } = frontrow.app;
  const idle = new Idle(new SeatGate(redis, redisRun), pubsub, frontrow.app.board, new ToldSeats(redis), metrics);
  await new RelayService(transactions, new EventStream(redis), services.deliveries, idle, metrics, () => undefined).run();
  only(await sale.reserve(next, concert.scheduleId, [1]), 'SeatsUnavailable');
  expect(statusesOf(changes)).toEqual([]);
  changes.stop();
});

test('who was told at once hears nothing twice when the relay tells it again', async () => {
  const buyer = await buyerOf();
  const changes = await watching(buyer);
  const { id } = await sale.hold(buyer, concert.scheduleId, [1]);
  await changes.until(({ reservationChanged }) => reservationChanged.status === 'HELD');
  await relay();
  only(await sale.pay(buyer, id), 'Payment');
  await changes.until(({ reservationChanged }) => reservationChanged.status === 'CONFIRMED');
  await unsay();
  await relay();
  const other = await sale.hold((await frontrow.build.admit(concert.id, [buyer]))[0]!, concert.scheduleId, [2]);
  await changes.until(({ reservationChanged }) => reservationChanged.id === other.id);
  expect(statusesOf(changes)).toEqual(['HELD', 'CONFIRMED', 'HELD']);
  changes.stop();
});

test('gate and seats that have heard of a change from who committed it are not told again, and those that could not be told are', async () => {
  const { transactions, redis, redisRun, pubsub, metrics, services, board } = frontrow.app;
  const retold: string[] = [];
  class NotingGate extends SeatGate {
    override sold(...args: Parameters<SeatGate['sold']>): Promise<void> {
      retold.push(...args[0].map(({ id }) => `gate ${id}`));
      return super.sold(...args);
    }
  }
  const noting: Pick<SeatBoard, 'reread'> = { reread: (dates) => (retold.push(...dates.flatMap(({ numbers }) => numbers.map((number) => `seat ${number}`))), board.reread(dates)) };
  const relayHere = new RelayService(transactions, new EventStream(redis), services.deliveries, new FollowUps(new NotingGate(redis, redisRun), pubsub, noting, new ToldSeats(redis), metrics), metrics, () => undefined);
  await relay();

  const [buyer, other] = [await buyerOf(), await buyerOf()];
  only(await sale.pay(buyer, (await sale.hold(buyer, concert.scheduleId, [1])).id), 'Payment');
  expect(await relayHere.run()).toBeGreaterThan(0);
  expect(retold).toEqual([]);

  const { reservations, payments } = servicesOf(frontrow.app, { board: { tell: () => Promise.reject(new Error('no')) } });
  const { id } = await reservations.reserve(viewerOf(other), { scheduleId: concert.scheduleId, seatNumbers: [2] });
  await payments.pay(viewerOf(other), other.queueToken, id);
  await relayHere.run();
  expect(retold.toSorted()).toEqual([`gate ${id}`, 'seat 2']);
});

test('old events that come late change nothing of whoever has the seats now', async () => {
  const [buyer, next] = [await buyerOf(), await buyerOf()];
  const { id: first } = await sale.hold(buyer, concert.scheduleId, [1]);
  const payment = only(await sale.pay(buyer, first), 'Payment');
  only(await sale.refund(buyer, payment.id), 'Payment');
  await sale.hold(next, concert.scheduleId, [1]);
  const held = await gateOf();
  const told = (type: OutgoingEvent['type']): OutgoingEvent => ({
    id: first, sequence: 1, type, occurredAt: new Date(), userId: buyer.id, concertId: concert.id, reservationId: first,
    payload: JSON.stringify({ version: 1, scheduleId: concert.scheduleId, seatNumbers: [1] }),
  });
  await unsay();
  await followUpsOf(frontrow.app).apply([told('PAYMENT_MADE'), told('RESERVATION_HELD'), told('PAYMENT_REFUNDED'), told('RESERVATION_EXPIRED'), told('QUEUE_JOINED')]);
  expect(await gateOf()).toEqual(held);
});

test('a follow-up that fails keeps no event from being published, and is tried again by the next run, five times at most', async () => {
  const { transactions, redis, redisRun, pubsub, metrics, services } = frontrow.app;
  let broken = true;
  let tries = 0;
  class BrokenGate extends SeatGate {
    override free(...args: Parameters<SeatGate['free']>): Promise<void> {
      tries += 1;
      return broken ? Promise.reject(new Error('no')) : super.free(...args);
    }
  }
  const relayHere = new RelayService(transactions, new EventStream(redis), services.deliveries, new FollowUps(new BrokenGate(redis, redisRun), pubsub, frontrow.app.board, new ToldSeats(redis), metrics), metrics, () => undefined);
  await relay();
  const cancelled = async () => {
    const buyer = await buyerOf();
    const { id } = await sale.hold(buyer, concert.scheduleId, [1]);
    const { dead, reservations } = dying();
    void reservations.cancel(viewerOf(buyer), id);
    await dead;
  };
  await cancelled();
  expect(await relayHere.run()).toBe(2);
  expect((await relayHere.backlog()).count).toBe(0);
  broken = false;
  await relayHere.run();
  expect(await gateOf()).toEqual({});

  await cancelled();
  broken = true;
  tries = 0;
  for (let run = 0; run < 8; run += 1) await relayHere.run();
  expect(tries).toBe(5);
});

test('an event is tried again once, also where the gate and the seats both failed', async () => {
  const { redis, redisRun, pubsub, metrics } = frontrow.app;
  let tries = 0;
  class BrokenGate extends SeatGate {
    override free(): Promise<void> {
      tries += 1;
      return Promise.reject(new Error('no'));
    }
  }
  const followUps = new FollowUps(new BrokenGate(redis, redisRun), pubsub, { reread: () => Promise.reject(new Error('no')) }, new ToldSeats(redis), metrics);
  const payload = JSON.stringify({ scheduleId: concert.scheduleId, seatNumbers: [1] });
  const event: OutgoingEvent = { id: '1', sequence: 1, type: 'RESERVATION_EXPIRED', occurredAt: new Date(), userId: 'u', concertId: concert.id, reservationId: 'r', payload };
  await followUps.apply([event]);
  await followUps.again();
  expect(tries).toBe(2);
  for (let run = 0; run < 5; run += 1) await followUps.again();
  expect(tries).toBe(5);
});

test('P4: where workers run, all of it has healed within 10 s, the pass that the payment ended too', async () => {
  const live = await startFrontrow({ worker: true });
  try {
    const there = saleOf(live);
    const one = await live.build.concert({ seats: 2, price: PRICE });
    const [buyer, next] = await live.build.admit(one.id, await live.build.buyers(2, { balance: PRICE }));
    const hold = await there.hold(buyer!, one.scheduleId, [1]);
    const held = await there.hold(next!, one.scheduleId, [2]);
    const changes = collect(websocketClient(live.instances[0]!.url!, buyer!), operations.WatchReservationsDocument, {});
    const others = collect(websocketClient(live.instances[0]!.url!, next!), operations.WatchReservationsDocument, {});
    await subscribed(live, topics.reservationChanged(buyer!.id));
    await subscribed(live, topics.reservationChanged(next!.id));
    const { app } = live;
    const [paying, cancelling] = [new DyingTransactions(app), new DyingTransactions(app)];
    void servicesOf(app, { transactions: paying }).payments.pay(viewerOf(buyer!), buyer!.queueToken, hold.id);
    void servicesOf(app, { transactions: cancelling }).reservations.cancel(viewerOf(next!), held.id);
    // A pass that was handed over by a process that died before it noted that.
    await app.transactions.fork().nativeUpdate(QueuePass, { concertId: one.id, userId: next!.id }, { admittedAt: null });
    await Promise.all([paying.dead, cancelling.dead]);
    const began = performance.now();

    await changes.until(({ reservationChanged }) => reservationChanged.status === 'CONFIRMED');
    await others.until(({ reservationChanged }) => reservationChanged.status === 'CANCELLED');
    await eventually(async () => {
      const { queuePosition } = dataOf(await live.client().run(operations.PollQueuePositionDocument, { concertId: one.id }, buyer!));
      return queuePosition?.status === 'COMPLETED';
    }, 'the end of the pass');
    await eventually(async () => (await app.transactions.fork().findOneOrFail(QueuePass, { concertId: one.id, userId: next!.id })).admittedAt, 'the note of the pass');
    const third = await live.build.admittedBuyer(one.id);
    await eventually(async () => (await there.reserve(third, one.scheduleId, [2])).__typename === 'Reservation', 'the seat of the cancelled hold');
    expect(performance.now() - began).toBeLessThan(HEALED_MS);
    changes.stop();
    others.stop();
  } finally {
    await live.stop();
  }
}, 20_000);

test('words that no worker takes are bounded, and the newest of them stay', async () => {
  const told = new ToldSeats(frontrow.app.redis);
  await told.take();
  for (let word = 0; word <= TOLD_SEATS_WORDS_MAX; word += 1) told.note([`RESERVATION_HELD ${word}`]);
  const taken = await told.take();
  expect(taken).toHaveLength(TOLD_SEATS_WORDS_MAX);
  expect(taken[0]).toBe('RESERVATION_HELD 1');
});

test(`of ${TOLD_KNOWN_MAX} changes at most the relay knows that gate and seats have heard: one that so many followed is told again, the newer half of them is not`, async () => {
  const { redis, redisRun, pubsub, metrics } = frontrow.app;
  const told = new ToldSeats(redis);
  await told.take();
  const retold: number[] = [];
  const noting: Pick<SeatBoard, 'reread'> = { reread: (dates) => Promise.resolve(void retold.push(...dates.flatMap(({ numbers }) => numbers))) };
  const followUps = new FollowUps(new SeatGate(redis, redisRun), pubsub, noting, told, metrics);
  told.note(Array.from({ length: TOLD_KNOWN_MAX + 1 }, (_, number) => changeOf('RESERVATION_HELD', `r${number}`)));
  const held = (number: number): OutgoingEvent => ({
    id: '1', sequence: 1, type: 'RESERVATION_HELD', occurredAt: new Date(), userId: 'u', concertId: concert.id, reservationId: `r${number}`,
    payload: JSON.stringify({ scheduleId: concert.scheduleId, seatNumbers: [number] }),
  });
  await followUps.apply([held(0), held(TOLD_KNOWN_MAX / 2 + 1), held(TOLD_KNOWN_MAX)]);
  expect(retold).toEqual([0]);
});
