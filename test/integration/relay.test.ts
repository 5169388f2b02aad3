import { v7 as uuid } from 'uuid';
import { OutboxEvent } from '../../src/database/entities/outbox-event.entity.js';
import { markPublished, tell, unpublishedEvents } from '../../src/database/repositories/outbox.repository.js';
import type { OutgoingEvent } from '../../src/domain/event.js';
import { connectFailFast } from '../../src/redis/client.js';
import { EventStream } from '../../src/redis/event-stream.js';
import { keys } from '../../src/redis/keys.js';
import { RelayService } from '../../src/services/relay.service.js';
import { createLogger } from '../../src/logging.js';
import { run } from '../../src/run.js';
import { streamed, streamedOf } from '../support/events.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, testConfig, type Frontrow } from '../support/frontrow.js';
import { redisProxy } from '../support/redis-proxy.js';
import { only, saleOf } from '../support/sale.js';

/** From the outbox to the stream. */

let frontrow: Frontrow;
let other: RelayService;
beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2 });
  other = frontrow.instances[1]!.app.services.relay;
});
beforeEach(async () => {
  await frontrow.app.services.relay.run();
  await frontrow.app.redis.del(keys.events());
});
afterAll(() => frontrow.stop());

const relayOver = (stream: EventStream): RelayService => new RelayService(frontrow.app.transactions, stream, frontrow.app.services.deliveries, frontrow.app.metrics);
const unpublished = () => unpublishedEvents(frontrow.app.transactions.fork(), 10_000);

/** Events of so many reservations, in turn, each with its steps in order. */
async function write(reservations: number, steps: number): Promise<string[]> {
  const ids = Array.from({ length: reservations }, () => uuid());
  for (let step = 0; step < steps; step += 1) {
    await frontrow.app.transactions.fork().transactional((em) =>
      tell(em, ids.map((reservationId) => ({ type: 'RESERVATION_HELD' as const, occurredAt: new Date(), userId: uuid(), concertId: uuid(), reservationId, payload: { step } }))),
    );
  }
  return ids;
}
const stepsOf = async (reservationId: string): Promise<unknown[]> =>
  (await streamed(frontrow.app.redis)).filter((event) => event.reservationId === reservationId).map(({ payload }) => payload['step']);

test('P3: events that nobody was nudged for are published by the next run, with the ids and times of their rows, and are marked', async () => {
  const [reservationId] = await write(1, 2);
  const waiting = await unpublished();
  expect(waiting).toHaveLength(2);
  expect(await frontrow.app.services.relay.run()).toBe(2);
  expect(await streamed(frontrow.app.redis)).toMatchObject(
    waiting.map(({ id, userId, concertId, occurredAt }, step) => ({ id, type: 'RESERVATION_HELD', userId, concertId, reservationId, occurredAt: occurredAt.toISOString(), payload: { version: 1, step } })),
  );
  expect(await unpublished()).toEqual([]);
  expect(await frontrow.app.services.relay.run()).toBe(0);
});

test('P3: several relays at once publish each event once, and those of a reservation in their order', async () => {
  const ids = await write(60, 5);
  const more = write(20, 5);
  const published = await Promise.all(Array.from({ length: 8 }, (_, index) => (index % 2 ? other : frontrow.app.services.relay).run()));
  ids.push(...(await more));
  const rest = await frontrow.app.services.relay.run();
  expect(published.reduce((sum, count) => sum + count, rest)).toBe(400);
  const events = await streamed(frontrow.app.redis);
  expect(events).toHaveLength(400);
  expect(new Set(events.map(({ id }) => id)).size).toBe(400);
  for (const id of ids) expect(events.filter((event) => event.reservationId === id).map(({ payload }) => payload['step'])).toEqual([0, 1, 2, 3, 4]);
});

test('negative control: relays that do not ask who owns the stream publish events twice', async () => {
  await write(30, 1);
  class Ownerless extends EventStream {
    override async publish(_relay: string, events: readonly OutgoingEvent[]): Promise<boolean> {
      if (events.length > 0) await bothRead();
      return super.publish('whoever', events);
    }
  }
  const read = Promise.withResolvers<void>();
  let readers = 0;
  const bothRead = (): Promise<void> => ((readers += 1) >= 2 && read.resolve(), read.promise);
  await Promise.all([relayOver(new Ownerless(frontrow.app.redis)).run(), relayOver(new Ownerless(frontrow.app.redis)).run()]);
  expect(await streamed(frontrow.app.redis)).toHaveLength(60);
  await frontrow.app.redis.del(keys.relayOwner());
});

test('P3: an event is marked only after it was published: a relay that dies in between publishes it once more, under the same id', async () => {
  await write(1, 1);
  class Dying extends EventStream {
    override async publish(relay: string, events: readonly OutgoingEvent[]): Promise<boolean> {
      const published = await super.publish(relay, events);
      if (events.length > 0) throw new Error('killed');
      return published;
    }
  }
  await expect(relayOver(new Dying(frontrow.app.redis)).run()).rejects.toThrow('killed');
  expect(await unpublished()).toHaveLength(1);
  await frontrow.app.services.relay.run();
  const events = await streamed(frontrow.app.redis);
  expect(events).toHaveLength(2);
  expect(new Set(events.map(({ id }) => id)).size).toBe(1);
});

test('negative control: marked first, an event is lost with the relay that dies in between', async () => {
  const [reservationId] = await write(1, 1);
  class DyingBefore extends EventStream {
    override async publish(relay: string, events: readonly OutgoingEvent[]): Promise<boolean> {
      if (events.length === 0) return super.publish(relay, events);
      await markPublished(frontrow.app.transactions.fork(), events.map(({ sequence }) => sequence));
      throw new Error('killed');
    }
  }
  await expect(relayOver(new DyingBefore(frontrow.app.redis)).run()).rejects.toThrow('killed');
  await frontrow.app.services.relay.run();
  expect(await stepsOf(reservationId!)).toEqual([]);
});

test('P3: a relay that lost the stream to another publishes nothing any more', async () => {
  const stream = new EventStream(frontrow.app.redis);
  expect(await stream.claim('first')).toBe(true);
  expect(await stream.claim('second')).toBe(false);
  await frontrow.app.redis.del(keys.relayOwner());
  expect(await stream.claim('second')).toBe(true);
  const [event] = await (await write(1, 1), unpublished());
  expect(await stream.publish('first', [event!])).toBe(false);
  expect(await streamed(frontrow.app.redis)).toEqual([]);
  // Asked meanwhile, the owner looks once more before it ends.
  expect(await stream.release('second', false)).toBe(false);
  expect(await stream.release('second', false)).toBe(true);
  expect(await frontrow.app.services.relay.run()).toBe(1);
});

test('P3: a data platform reads the stream as a consumer group, and again what it did not acknowledge', async () => {
  const { redis } = frontrow.app;
  await redis.xgroup('CREATE', keys.events(), 'platform', '$', 'MKSTREAM');
  const ids = await write(3, 1);
  await frontrow.app.services.relay.run();
  const read = async (from: string) => {
    const reply = (await redis.xreadgroup('GROUP', 'platform', 'one', 'COUNT', 10, 'STREAMS', keys.events(), from)) as [string, [string, string[]][]][] | null;
    return (reply?.[0]?.[1] ?? []).map(streamedOf);
  };
  const events = await read('>');
  expect(events.map(({ reservationId }) => reservationId)).toEqual(ids);
  await redis.xack(keys.events(), 'platform', events[0]!.entry);
  expect((await read('0')).map(({ id }) => id)).toEqual(events.slice(1).map(({ id }) => id));
  expect(await read('>')).toEqual([]);
});

test('P3: without Redis nothing is lost: the relay goes on when it is back', async () => {
  const proxy = await redisProxy(frontrow.app.stores.redis);
  const redis = await connectFailFast(proxy.address, createLogger('silent'));
  try {
    const relay = relayOver(new EventStream(redis));
    await proxy.cut();
    await write(2, 1);
    await expect(relay.run()).rejects.toThrow();
    expect(await unpublished()).toHaveLength(2);
    await proxy.restore();
    await eventually(() => redis.status === 'ready', 'the connection');
    expect(await relay.run()).toBe(2);
  } finally {
    redis.disconnect();
    await proxy.close();
  }
});

test('P3: with a worker a commit is published soon, nudged or not', async () => {
  const worker = await run(testConfig({ ROLES: 'worker' }), frontrow.app.stores, createLogger('silent'));
  try {
    const sale = saleOf(frontrow);
    const concert = await frontrow.build.concert({ seats: 2 });
    const buyer = await frontrow.build.admittedBuyer(concert.id, { balance: 50_000 });
    const hold = await sale.hold(buyer, concert.scheduleId, [1]);
    only(await sale.pay(buyer, hold.id), 'Payment');
    const typesOf = async () => (await streamed(frontrow.app.redis)).filter(({ userId }) => userId === buyer.id).map(({ type }) => type);
    await eventually(async () => (await typesOf()).length >= 2, 'both events');
    expect(await typesOf()).toEqual(expect.arrayContaining(['RESERVATION_HELD', 'PAYMENT_MADE']));
    const [unnudged] = await write(1, 1);
    await eventually(async () => (await stepsOf(unnudged!)).length > 0, 'the event without a nudge');
  } finally {
    await worker.close();
  }
});

test('the sweeper forgets what was published a day ago, and nothing else', async () => {
  const em = frontrow.app.transactions.fork();
  await write(3, 1);
  await frontrow.app.services.relay.run();
  await write(1, 1);
  const before = await em.count(OutboxEvent);
  await em.execute('update outbox_event set published_at = sysdate(3) - interval 25 hour where published_at is not null order by id desc limit 2');
  await em.execute('update outbox_event set occurred_at = sysdate(3) - interval 25 hour where published_at is null');
  expect(await frontrow.app.services.relay.sweep()).toBe(2);
  expect(await em.count(OutboxEvent)).toBe(before - 2);
  expect(await unpublished()).toHaveLength(1);
});

test('O4: what waits to be published is counted, with the age of the oldest', async () => {
  await write(2, 1);
  await frontrow.app.transactions.fork().execute('update outbox_event set occurred_at = sysdate(3) - interval 30 second where published_at is null');
  expect(await other.backlog()).toEqual({ count: 2, oldestMs: expect.any(Number) });
  expect((await other.backlog()).oldestMs).toBeGreaterThanOrEqual(30_000);
  const text = await (await fetch(`${frontrow.client().url}/metrics`)).text();
  expect(text).toMatch(/^frontrow_outbox_backlog 2$/m);
  expect(text).toMatch(/^frontrow_outbox_oldest_seconds 3\d/m);
  await other.run();
  expect(await other.backlog()).toEqual({ count: 0, oldestMs: 0 });
});
