import { v7 as uuid } from 'uuid';
import { OutboxEvent } from '../../src/database/entities/outbox-event.entity.js';
import { lastPublished, markPublished, tell, unpublishedEvents } from '../../src/database/repositories/outbox.repository.js';
import type { OutgoingEvent } from '../../src/domain/event.js';
import { connectFailFast } from '../../src/redis/client.js';
import { EventStream } from '../../src/redis/event-stream.js';
import { keys } from '../../src/redis/keys.js';
import { RelayService } from '../../src/services/relay.service.js';
import { createLogger } from '../../src/logging.js';
import { run } from '../../src/run.js';
import { streamed, streamedOf } from '../support/events.js';
import { eventually } from '../support/eventually.js';
import { followUpsOf } from '../support/follow-ups.js';
import { startFrontrow, testConfig, type Frontrow } from '../support/frontrow.js';
import { redisProxy } from '../support/redis-proxy.js';
import { only, saleOf } from '../support/sale.js';

/** From the outbox to the stream. */

let frontrow: Frontrow;
let other: RelayService;
beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2, brokenOnPurpose: { invariants: ['told-is-true', 'told-once'], because: 'events are told of what never happened' } });
  other = frontrow.instances[1]!.app.services.relay;
});
beforeEach(async () => {
  await frontrow.app.services.relay.run();
  await frontrow.app.redis.del(keys.events());
});
afterAll(() => frontrow.stop());

const relayOver = (stream: EventStream): RelayService => new RelayService(frontrow.app.transactions, stream, frontrow.app.services.deliveries, followUpsOf(frontrow.app), frontrow.app.metrics, () => undefined);
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

test('P3: events are published in the order of their rows, whatever the clocks of the processes that made their ids', async () => {
  const em = frontrow.app.transactions.fork();
  const [reservationId] = await write(1, 4);
  const rows = await em.find(OutboxEvent, { reservationId }, { orderBy: { id: 'asc' } });
  // Each process was a little behind the one before.
  for (const [step, row] of rows.entries()) row.eventId = `0000000${9 - step}-0000-7000-8000-${reservationId!.slice(-12)}`;
  await em.flush();
  await frontrow.app.services.relay.run();
  expect(await stepsOf(reservationId!)).toEqual([0, 1, 2, 3]);
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
    override async claim(): Promise<string> {
      return (await super.claim('whoever'))!;
    }
    override async publish(_relay: string, events: readonly OutgoingEvent[], _before: string, reached: string): Promise<boolean> {
      await bothRead();
      const inTurn = turn.then(async () => super.publish('whoever', events, (await frontrow.app.redis.get(keys.relayReached())) ?? '', reached));
      turn = inTurn;
      return inTurn;
    }
  }
  const read = Promise.withResolvers<void>();
  let readers = 0;
  let turn: Promise<unknown> = Promise.resolve();
  const bothRead = (): Promise<void> => ((readers += 1) >= 2 && read.resolve(), read.promise);
  await Promise.all([relayOver(new Ownerless(frontrow.app.redis)).run(), relayOver(new Ownerless(frontrow.app.redis)).run()]);
  expect(await streamed(frontrow.app.redis)).toHaveLength(60);
  await frontrow.app.redis.del(keys.relayOwner());
});

test('P3: an event is marked only after it was published: a relay that dies in between publishes it once more, under the same id', async () => {
  await write(1, 1);
  class Dying extends EventStream {
    override async publish(...args: Parameters<EventStream['publish']>): Promise<boolean> {
      await super.publish(...args);
      throw new Error('killed');
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
    override async publish(_relay: string, events: readonly OutgoingEvent[]): Promise<boolean> {
      await markPublished(frontrow.app.transactions.fork(), events.map(({ sequence }) => sequence), new Date(0));
      throw new Error('killed');
    }
  }
  await expect(relayOver(new DyingBefore(frontrow.app.redis)).run()).rejects.toThrow('killed');
  await frontrow.app.services.relay.run();
  expect(await stepsOf(reservationId!)).toEqual([]);
});

test('P3: a relay that lost the stream publishes nothing any more, also when its successor has come and gone', async () => {
  const stream = new EventStream(frontrow.app.redis);
  const reached = await stream.claim('first');
  expect(reached).not.toBeNull();
  expect(await stream.claim('second')).toBeNull();
  await frontrow.app.redis.del(keys.relayOwner());
  expect(await stream.claim('second')).toBe(reached);
  const [event] = await (await write(1, 1), unpublished());
  expect(await stream.publish('first', [event!], reached!, '1-1')).toBe(false);
  // Asked meanwhile, the owner looks once more before it ends.
  await stream.claim('third');
  expect(await stream.release('second')).toBe(false);
  expect(await stream.release('second')).toBe(true);
  expect(await stream.publish('first', [event!], reached!, '1-1')).toBe(false);
  expect(await streamed(frontrow.app.redis)).toEqual([]);
  expect(await frontrow.app.services.relay.run()).toBe(1);
});

test('P3: a relay that was held up before publishing does not repeat, behind newer events, what its successor has published', async () => {
  const [reservationId] = await write(1, 1);
  const [begun, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  class HeldUp extends EventStream {
    override async publish(...args: Parameters<EventStream['publish']>): Promise<boolean> {
      begun.resolve();
      await goOn.promise;
      return super.publish(...args);
    }
  }
  const heldUp = relayOver(new HeldUp(frontrow.app.redis)).run();
  await begun.promise;
  await frontrow.app.redis.del(keys.relayOwner());
  await other.run();
  goOn.resolve();
  expect(await heldUp).toBe(0);
  expect(await stepsOf(reservationId!)).toEqual([0]);
});

test('P3: an event that is committed after later ones were published comes all the same', async () => {
  const late = uuid();
  const [written, commit] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const transaction = frontrow.app.transactions.fork().transactional(async (em) => {
    await tell(em, [{ type: 'RESERVATION_HELD', occurredAt: new Date(), userId: uuid(), concertId: uuid(), reservationId: late, payload: { step: 0 } }]);
    written.resolve();
    await commit.promise;
  });
  await written.promise;
  await write(1, 1);
  expect(await frontrow.app.services.relay.run()).toBe(1);
  commit.resolve();
  await transaction;
  expect(await frontrow.app.services.relay.run()).toBe(1);
  expect(await stepsOf(late)).toEqual([0]);
});

describe('a Redis that lost data', () => {
  const idsIn = async (): Promise<string[]> => (await streamed(frontrow.app.redis)).map(({ id }) => id);
  const publishedIds = async (): Promise<string[]> =>
    (await frontrow.app.transactions.fork().execute<{ id: string }[]>('select event_id as id from outbox_event where published_at is not null order by published_at, outbox_event.id')).map(({ id }) => id);
  /** As from a dump: the stream and the mark, as they were. */
  const dump = async (): Promise<() => Promise<void>> => {
    const names = [keys.events(), keys.relayReached()];
    const values = await Promise.all(names.map((name) => frontrow.app.redis.dumpBuffer(name)));
    return async () => {
      await frontrow.app.redis.flushdb();
      for (const [index, name] of names.entries()) if (values[index]) await frontrow.app.redis.restore(name, 0, values[index]);
    };
  };
  /** Several batches, some of them committed after later ones were published. */
  const publishSome = async (): Promise<string[]> => {
    const ids = await write(70, 3);
    await frontrow.app.services.relay.run();
    return ids;
  };

  test('P3: emptied, it gets everything published again, with the ids it had and in the order it had, before anything new; a group that is made anew reads it all', async () => {
    const ids = await publishSome();
    const before = await publishedIds();
    await frontrow.app.redis.flushdb();
    const [fresh] = await write(1, 1);
    await frontrow.app.redis.xgroup('CREATE', keys.events(), 'platform', '0', 'MKSTREAM');
    expect(await frontrow.app.services.relay.run()).toBe(before.length + 1);
    const reply = (await frontrow.app.redis.xreadgroup('GROUP', 'platform', 'one', 'COUNT', 100_000, 'STREAMS', keys.events(), '>')) as [string, [string, string[]][]][];
    const read = reply[0]![1].map(streamedOf);
    expect(read.map(({ id }) => id).slice(0, -1)).toEqual(before);
    expect(read.at(-1)!.reservationId).toBe(fresh);
    for (const id of ids) expect(await stepsOf(id)).toEqual([0, 1, 2]);
    expect(await frontrow.app.services.relay.run()).toBe(0);
  });

  test('P3: started from an old dump, it gets what it lacks; a reader goes on from its last id and misses nothing', async () => {
    await publishSome();
    const lastRead = (await streamed(frontrow.app.redis)).at(-1)!.entry;
    const restore = await dump();
    const ids = await publishSome();
    const lost = await idsIn();
    await restore();
    await frontrow.app.services.relay.run();
    const rest = ((await frontrow.app.redis.xread('STREAMS', keys.events(), lastRead)) as [string, [string, string[]][]][])[0]![1].map(streamedOf);
    expect(rest.map(({ id }) => id)).toEqual(lost.slice(-rest.length));
    expect(rest).toHaveLength(210);
    for (const id of ids) expect(await stepsOf(id)).toEqual([0, 1, 2]);
  });

  test('P3: published again, an event makes no second delivery', async () => {
    const { webhook } = await frontrow.app.services.webhooks.create({ url: 'http://127.0.0.1:9/nobody', events: ['RESERVATION_HELD'] });
    await publishSome();
    const count = async () => Number((await frontrow.app.transactions.fork().execute<{ n: number }[]>('select count(*) as n from webhook_delivery'))[0]!.n);
    expect(await count()).toBe(210);
    await frontrow.app.redis.flushdb();
    await frontrow.app.services.relay.run();
    expect(await count()).toBe(210);
    await frontrow.app.services.webhooks.delete(webhook.id);
  });

  test('P3: a relay under whose hands Redis is emptied or put back stops, and the next one mends it', async () => {
    await publishSome();
    const restore = await dump();
    const [reservationId] = await write(1, 1);
    class PutBack extends EventStream {
      override async publish(...args: Parameters<EventStream['publish']>): Promise<boolean> {
        const published = await super.publish(...args);
        await restore();
        await super.claim(args[0]);
        return published;
      }
    }
    await relayOver(new PutBack(frontrow.app.redis)).run();
    const [next] = await write(1, 1);
    await frontrow.app.redis.del(keys.relayOwner());
    await frontrow.app.services.relay.run();
    expect([await stepsOf(reservationId!), await stepsOf(next!)]).toEqual([[0], [0]]);
    expect((await idsIn()).slice(-2)).toEqual((await publishedIds()).slice(-2));
  });

  test('negative control: a relay that believes what Redis says of itself never publishes them again', async () => {
    const [reservationId] = await publishSome();
    await frontrow.app.redis.flushdb();
    class Believing extends EventStream {
      override async claim(relay: string): Promise<string | null> {
        await super.claim(relay);
        const { publishedAt, sequence } = await lastPublished(frontrow.app.transactions.fork());
        const text = `${publishedAt.getTime()}-${sequence}`;
        await frontrow.app.redis.set(keys.relayReached(), text);
        return text;
      }
    }
    expect(await relayOver(new Believing(frontrow.app.redis)).run()).toBe(0);
    expect(await stepsOf(reservationId!)).toEqual([]);
  });
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
    // That of the pass, which the payment has ended, comes before or after.
    const told = async () => (await typesOf()).filter((type) => !type.startsWith('QUEUE_'));
    await eventually(async () => (await told()).length >= 2, 'both events');
    expect(await told()).toEqual(['RESERVATION_HELD', 'PAYMENT_MADE']);
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
