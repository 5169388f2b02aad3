import type { EntityManager } from '@mikro-orm/mysql';
import { v7 as uuid } from 'uuid';
import { tell } from '../../src/database/repositories/outbox.repository.js';
import { PAUSE_MAX_MS } from '../../src/domain/outbox-mark.js';
import { EventStream } from '../../src/redis/event-stream.js';
import { keys } from '../../src/redis/keys.js';
import { GATHERED_MAX_MS, RelayService } from '../../src/services/relay.service.js';
import { followUpsOf } from '../support/follow-ups.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';

/** The relay while more comes than one round can do. */

let frontrow: Frontrow;
beforeAll(async () => {
  frontrow = await startFrontrow({ brokenOnPurpose: { invariants: ['told-is-true'], because: 'events are told of what never happened' } });
});
afterAll(() => frontrow.stop());

const write = (count: number): Promise<void> =>
  frontrow.app.transactions.fork().transactional((em) =>
    tell(em, Array.from({ length: count }, () => ({ type: 'CHARGE_MADE' as const, occurredAt: new Date(), userId: uuid(), concertId: null, reservationId: null, payload: {} }))),
  );

/** What each round appended; `meanwhile` is done before it ends. `nudge` is how the run asks for another. */
async function roundsOf(meanwhile: (round: number) => Promise<unknown>, nudge = (): void => undefined): Promise<number[]> {
  const rounds: number[] = [];
  class Noting extends EventStream {
    override async publish(...args: Parameters<EventStream['publish']>): Promise<boolean> {
      const published = await super.publish(...args);
      await meanwhile(rounds.push(args[1].length));
      return published;
    }
  }
  const { transactions, services, metrics, redis } = frontrow.app;
  await new RelayService(transactions, new Noting(redis), services.deliveries, followUpsOf(frontrow.app), metrics, nudge).run();
  return rounds;
}

test('P3: events that come while a relay waits for them share a round', async () => {
  await write(PAUSE_MAX_MS);
  const rounds: number[] = [];
  const [begun, ended]: [number[], number[]] = [[], []];
  let writing: Promise<void> | null = null;
  const oneByOne = async (): Promise<void> => {
    for (let times = 0; times < 5; times += 1) await write(1);
  };
  class Noting extends EventStream {
    override async publish(...args: Parameters<EventStream['publish']>): Promise<boolean> {
      rounds.push(args[1].length);
      return super.publish(...args);
    }

    /** The last thing in a round in which there are no queues. */
    override async concerts(): Promise<string[]> {
      const concertIds = await super.concerts();
      ended.push(performance.now());
      writing ??= oneByOne();
      return concertIds;
    }
  }
  /** A round begins by reading what is not published yet: however long the five take to be written, the second is not before them. */
  const fork = (): EntityManager => {
    const em = frontrow.app.transactions.fork();
    const execute = em.execute.bind(em);
    em.execute = (async (...args: Parameters<EntityManager['execute']>) => {
      if (String(args[0]).includes('where published_at is null')) {
        begun.push(performance.now());
        await writing;
      }
      return execute(...args);
    }) as EntityManager['execute'];
    return em;
  };
  const { transactions, services, metrics, redis } = frontrow.app;
  const forking = new Proxy(transactions, { get: (target, name) => (name === 'fork' ? fork : (Reflect.get(target, name) as () => unknown).bind(target)) });
  await new RelayService(forking, new Noting(redis), services.deliveries, followUpsOf(frontrow.app), metrics, () => undefined).run();
  expect(rounds).toEqual([PAUSE_MAX_MS, 5]);
  expect(begun[1]! - ended[0]!).toBeGreaterThanOrEqual(PAUSE_MAX_MS - 2);
});

test('P3: a run that always finds more comes to an end, and the next one finds the rest', async () => {
  await write(PAUSE_MAX_MS);
  const rounds = await roundsOf(() => write(PAUSE_MAX_MS));
  expect(rounds).toHaveLength(GATHERED_MAX_MS / PAUSE_MAX_MS);
  expect(await frontrow.app.services.relay.run()).toBe(PAUSE_MAX_MS);
});

test('P3: a run that ends by its limit asks for another if somebody has asked it to look again, and only then', async () => {
  const stream = new EventStream(frontrow.app.redis);
  let nudges = 0;
  const more = async () => (await write(PAUSE_MAX_MS), stream.askAgain());
  await write(PAUSE_MAX_MS);
  expect(await roundsOf(more, () => (nudges += 1))).toHaveLength(GATHERED_MAX_MS / PAUSE_MAX_MS);
  expect(nudges).toBe(1);
  expect(await roundsOf(() => write(PAUSE_MAX_MS), () => (nudges += 1))).toHaveLength(GATHERED_MAX_MS / PAUSE_MAX_MS);
  expect(nudges).toBe(1);
  expect(await frontrow.app.services.relay.run()).toBe(PAUSE_MAX_MS);
});

test('P3: whoever has something to relay asks the relay at work, if there is one, to look once more before it ends', async () => {
  const stream = new EventStream(frontrow.app.redis);
  expect(await stream.askAgain()).toBe(false);
  await stream.claim('busy');
  expect(await stream.askAgain()).toBe(true);
  expect(await stream.release('busy')).toBe(false);
  expect(await stream.release('busy')).toBe(true);
  expect(await stream.askAgain()).toBe(false);
});

test('P3: a queue with an entry that is no event keeps nothing else for the next run, however much there is', async () => {
  const { redis, services } = frontrow.app;
  const concertId = uuid();
  await redis.sadd(keys.queuesToRelay(), concertId);
  await redis.xadd(keys.queueEvents(concertId), '*', 'type', 'QUEUE_JOINED', 'place', '7');
  await write(1001);
  await expect(services.relay.run()).rejects.toThrow('is no event');
  expect((await services.relay.backlog()).count).toBe(0);
  await redis.del(keys.queueEvents(concertId));
  expect(await services.relay.run()).toBe(0);
});
