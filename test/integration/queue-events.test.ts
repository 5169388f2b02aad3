import { randomUUID } from 'node:crypto';
import { v5 as uuidOfName, validate as isUuid } from 'uuid';
import { keys } from '../../src/redis/keys.js';
import { EventStream } from '../../src/redis/event-stream.js';
import { QueueStore } from '../../src/redis/queue-store.js';
import { RelayService } from '../../src/services/relay.service.js';
import type { Buyer, BuiltConcert } from '../support/builder.js';
import { streamed } from '../support/events.js';
import { followUpsOf } from '../support/follow-ups.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { queueOf, sequenceOf } from '../support/queue.js';
import { only, saleOf } from '../support/sale.js';

/** What happens in a queue, told to other systems: left behind by the script that makes it happen, and relayed. */

let frontrow: Frontrow;
let queue: ReturnType<typeof queueOf>;
beforeAll(async () => {
  frontrow = await startFrontrow({ env: { QUEUE_ADMIT_COUNT: '3', QUEUE_ABSENCE_GRACE_MS: '30000' } });
  queue = queueOf(frontrow);
});
beforeEach(() => frontrow.app.redis.del(keys.events()));
afterAll(() => frontrow.stop());

const relay = () => frontrow.app.services.relay.run();
const queueEvents = async (concertId: string) => (await streamed(frontrow.app.redis)).filter((event) => event.concertId === concertId && event.type.startsWith('QUEUE_'));

test('Q9: joined, admitted, left, expired and completed can be read by other systems, each once and in order', async () => {
  const concert = await frontrow.build.concert();
  const [paying, leaving, late, absent, quitter] = await frontrow.build.buyers(5, { balance: 50_000 });
  const tokens = await queue.joinInTurn([paying!, leaving!, late!, absent!, quitter!], concert.id);
  await queue.join(paying!, concert.id);
  await queue.tick();
  const sale = saleOf(frontrow);
  const admitted = { ...paying!, queueToken: tokens[0]! };
  const hold = await sale.hold(admitted, concert.scheduleId, [1]);
  only(await sale.pay(admitted, hold.id), 'Payment');
  await queue.leave(leaving!, concert.id);
  await queue.leave(quitter!, concert.id);
  await queue.agePass(concert.id, late!.id, 10 * 60_000);
  await queue.ageSight(concert.id, absent!.id, 60_000);
  await frontrow.app.redis.hset(keys.queueState(concert.id), 'grace_from', 0);
  await queue.tick();
  await relay();
  const told = (await queueEvents(concert.id)).map(({ type, userId, payload }) => [type, userId, payload]);
  const place = (token: string | undefined) => ({ version: 1, place: sequenceOf(token!) });
  expect(told).toEqual([
    ...[paying, leaving, late, absent, quitter].map((buyer, index) => ['QUEUE_JOINED', buyer!.id, place(tokens[index])]),
    ...[paying, leaving, late].map((buyer, index) => ['QUEUE_ADMITTED', buyer!.id, place(tokens[index])]),
    ['QUEUE_COMPLETED', paying!.id, { ...place(tokens[0]), cause: 'PAID' }],
    ['QUEUE_LEFT', leaving!.id, place(tokens[1])],
    ['QUEUE_LEFT', quitter!.id, place(tokens[4])],
    ['QUEUE_EXPIRED', late!.id, { ...place(tokens[2]), cause: 'TIME' }],
    ['QUEUE_EXPIRED', absent!.id, { ...place(tokens[3]), cause: 'ABSENT' }],
  ]);
  expect(await frontrow.app.redis.xlen(keys.queueEvents(concert.id))).toBe(0);
  expect(await relay()).toBe(0);
});

test('Q9: who left, by a process that died before it was written down, is written down from the event', async () => {
  const concert = await frontrow.build.concert();
  const [leaver] = await frontrow.build.buyers(1);
  await queue.join(leaver!, concert.id);
  await queue.tick();
  const { app } = frontrow;
  await new QueueStore(app.redis, app.redisRun, () => Promise.reject(new Error('recovered'))).leave(concert.id, leaver!.id, 60_000);
  expect((await queue.passesOf(concert.id)).map(({ endedBy }) => endedBy)).toEqual([null]);
  await relay();
  expect((await queue.passesOf(concert.id)).map(({ endedBy }) => endedBy)).toEqual(['LEFT']);
});

test('Q9: the last events of a queue that nobody looks after any more are relayed too', async () => {
  const concert = await frontrow.build.concert({ saleOpensAt: new Date(Date.now() + 60_000) });
  const buyer = await frontrow.build.buyer();
  await queue.join(buyer, concert.id);
  await queue.leave(buyer, concert.id);
  await queue.tick();
  expect(await frontrow.app.redis.sismember(keys.queues(), concert.id)).toBe(0);
  await relay();
  expect((await queueEvents(concert.id)).map(({ type }) => type)).toEqual(['QUEUE_JOINED', 'QUEUE_LEFT']);
  await relay();
  expect(await frontrow.app.redis.smembers(keys.queuesToRelay())).not.toContain(concert.id);
});

test('Q9: an event that was published and not dropped is published again under the same id', async () => {
  const concert = await frontrow.build.concert();
  await queue.join(await frontrow.build.buyer(), concert.id);
  class Dying extends EventStream {
    override dropQueueEvents(): Promise<void> {
      return Promise.reject(new Error('killed'));
    }
  }
  const { transactions, services, metrics, redis } = frontrow.app;
  await expect(new RelayService(transactions, new Dying(redis), services.deliveries, followUpsOf(frontrow.app), metrics, () => undefined).run()).rejects.toThrow('killed');
  await relay();
  const events = await queueEvents(concert.id);
  expect(events).toHaveLength(2);
  expect(new Set(events.map(({ id }) => id)).size).toBe(1);
});

describe('one broken queue', () => {
  /** Its line and that of two others; those are told in the same run, before that ends with the trouble of the broken one. */
  async function relayBeside(broken: readonly string[], trouble: string): Promise<void> {
    const concerts = [await frontrow.build.concert(), await frontrow.build.concert(), await frontrow.build.concert()];
    for (const concert of concerts) await queue.join(await frontrow.build.buyer(), concert.id);
    const [one, other, third] = concerts.map(({ id }) => id) as [string, string, string];
    await frontrow.app.redis.xadd(keys.queueEvents(other), '*', ...broken);
    await expect(relay()).rejects.toThrow(trouble);
    for (const id of [one, third]) {
      expect((await queueEvents(id)).map(({ type }) => type)).toEqual(['QUEUE_JOINED']);
      expect(await frontrow.app.redis.xlen(keys.queueEvents(id))).toBe(0);
    }
    expect(await frontrow.app.redis.xlen(keys.queueEvents(other))).toBe(2);
    await frontrow.app.redis.del(keys.queueEvents(other));
  }

  test('Q9: with an entry that is no event it keeps only its own', () => relayBeside(['type', 'QUEUE_JOINED', 'place', '7'], 'is no event'));

  test('Q9: with an event that cannot be delivered it keeps only its own', async () => {
    const { webhook } = await frontrow.app.services.webhooks.create({ url: 'http://127.0.0.1:9/nobody', events: ['QUEUE_JOINED'] });
    await relayBeside(['type', 'QUEUE_JOINED', 'user', 'x'.repeat(1000), 'place', '7'], 'order_key');
    await frontrow.app.services.webhooks.delete(webhook.id);
  });
});

test('Q9: the id of an event is the UUID of its concert and its entry, in whatever version of the product', async () => {
  const concert = await frontrow.build.concert();
  await queue.join(await frontrow.build.buyer(), concert.id);
  const [[entry]] = (await frontrow.app.redis.xrange(keys.queueEvents(concert.id), '-', '+')) as unknown as [[string]];
  await relay();
  expect((await queueEvents(concert.id)).map(({ id }) => id)).toEqual([uuidOfName(`${concert.id} ${entry}`, '0f3d8a54-6b0c-4c1e-9d57-2f6f2b1c7a90')]);
});

describe('people whom one call moved', () => {
  const entriesOf = async (concertId: string) => (await frontrow.app.redis.xrange(keys.queueEvents(concertId), '-', '+')) as unknown as [string, string[]][];
  const joinTogether = (buyers: readonly Buyer[], concertId: string) => {
    const store = new QueueStore(frontrow.app.redis, frontrow.app.redisRun, () => Promise.reject(new Error('recovered')));
    return Promise.all(buyers.map(({ id }) => store.join(concertId, id, true)));
  };
  /** With a queue, and no events in it. */
  const openConcert = async (): Promise<BuiltConcert> => {
    const concert = await frontrow.build.concert();
    await queue.join(await frontrow.build.buyer(), concert.id);
    await queue.tick();
    await relay();
    await frontrow.app.redis.del(keys.events());
    return concert;
  };

  test('Q9: they are one entry, and an event each with an id of its own, the same each time', async () => {
    const concert = await openConcert();
    const buyers = await frontrow.build.buyers(20);
    await joinTogether(buyers, concert.id);
    const [[entry], ...others] = (await entriesOf(concert.id)) as [[string, string[]]];
    expect(others).toEqual([]);
    const stream = new EventStream(frontrow.app.redis);
    const [[first], [again]] = [await stream.queueEvents([concert.id], 500), await stream.queueEvents([concert.id], 500)];
    expect(again).toEqual(first);
    const ids = first!.events.map(({ id }) => id);
    expect(new Set(ids).size).toBe(20);
    expect(ids.every((id) => isUuid(id))).toBe(true);
    expect(first!.last).toBe(entry);
    await relay();
    expect((await queueEvents(concert.id)).map(({ id, userId }) => [id, userId])).toEqual(buyers.map((buyer, index) => [ids[index], buyer.id]));
  });

  test('Q9: no entry tells of more than 64, and of many entries as many are read at once as hold so many events, but one at least', async () => {
    const concert = await openConcert();
    await queue.setPolicy(concert.id, { admitCount: 150 });
    await joinTogether(await frontrow.build.buyers(130), concert.id);
    await queue.tick();
    const sizes = (await entriesOf(concert.id)).map(([, [, type, , people]]) => [type, people!.split(' ').length / 2]);
    expect(sizes).toEqual([...[64, 64, 2].map((size) => ['QUEUE_JOINED', size]), ...[64, 64, 2].map((size) => ['QUEUE_ADMITTED', size])]);
    const read = async (limit: number) => (await new EventStream(frontrow.app.redis).queueEvents([concert.id], limit))[0]!.events.length;
    expect([await read(10), await read(128), await read(193), await read(260)]).toEqual([64, 128, 130, 260]);
    expect(await relay()).toBe(260);
    expect(await entriesOf(concert.id)).toEqual([]);
  });

  test('Q9: a backlog is carried over in one run, without the pauses in which a run waits for others to come', async () => {
    const concert = await openConcert();
    const entries = frontrow.app.redis.pipeline();
    const [ENTRIES, PEOPLE] = [90, 64];
    for (let entry = 0; entry < ENTRIES; entry += 1) {
      const people = Array.from({ length: PEOPLE }, (_, index) => `${randomUUID()} ${entry * PEOPLE + index + 1}`);
      entries.xadd(keys.queueEvents(concert.id), '*', 'type', 'QUEUE_JOINED', 'people', people.join(' '));
    }
    await entries.exec();
    await frontrow.app.redis.sadd(keys.queuesToRelay(), concert.id);
    expect(await relay()).toBe(ENTRIES * PEOPLE);
    expect(await entriesOf(concert.id)).toEqual([]);
  });

  test('Q9: entries of one user each, as the version before writes them, come in their order among the others', async () => {
    const concert = await openConcert();
    const [one, other] = await frontrow.build.buyers(2);
    await frontrow.app.redis.xadd(keys.queueEvents(concert.id), '*', 'type', 'QUEUE_EXPIRED', 'user', one!.id, 'place', '7', 'cause', 'TIME');
    await joinTogether([one!, other!], concert.id);
    await frontrow.app.redis.xadd(keys.queueEvents(concert.id), '*', 'type', 'QUEUE_ADMITTED', 'user', one!.id, 'place', '8');
    await relay();
    expect((await queueEvents(concert.id)).map(({ type, userId }) => [type, userId])).toEqual([
      ['QUEUE_EXPIRED', one!.id], ['QUEUE_JOINED', one!.id], ['QUEUE_JOINED', other!.id], ['QUEUE_ADMITTED', one!.id],
    ]);
  });
});

test('Q9: more events than a batch come in the order of the line', async () => {
  const concert = await frontrow.build.concert({ saleOpensAt: new Date(Date.now() + 60_000) });
  const buyers = await frontrow.build.buyers(230);
  await Promise.all(buyers.map((buyer) => queue.join(buyer, concert.id)));
  await relay();
  const places = (await queueEvents(concert.id)).map(({ payload }) => payload['place']);
  expect(places).toEqual(buyers.map((_, index) => index + 1));
});
