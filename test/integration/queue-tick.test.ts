import { jest } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { keys } from '../../src/redis/keys.js';
import { topics, type Messages } from '../../src/redis/pubsub.js';
import { QueueStore } from '../../src/redis/queue-store.js';
import { QueueAdmission, QUEUES_AT_ONCE, QUIET_MS } from '../../src/services/queue-admission.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { queueOf } from '../support/queue.js';

/** Which queues a tick looks after, and that nothing it has found stays untold. */

const HEARTBEAT_EVERY_MS = 5000;

let frontrow: Frontrow;
let queue: ReturnType<typeof queueOf>;
const listening: (() => void)[] = [];
beforeAll(async () => {
  frontrow = await startFrontrow({ env: { QUEUE_ADMIT_COUNT: '3', QUEUE_ACTIVE_MAX: '1000' } });
  queue = queueOf(frontrow);
});
afterEach(async () => {
  for (const stop of listening.splice(0)) stop();
  await queue.forgetAll();
});
afterAll(() => frontrow.stop());

/** As if the last heartbeat had been due. */
const ageHeartbeat = (concertId: string) => frontrow.app.redis.hincrby(keys.queueState(concertId), 'heartbeat_at', -HEARTBEAT_EVERY_MS);
const admissionOf = (storeOf: (...args: ConstructorParameters<typeof QueueStore>) => QueueStore) => {
  const { redis, redisRun, transactions, pubsub, metrics, config, logger } = frontrow.app;
  const store = storeOf(redis, redisRun, () => Promise.reject(new Error('not lost')));
  return new QueueAdmission(store, transactions, pubsub, metrics, config.queue, logger);
};
const heardOf = async (concertId: string) => {
  const heard: Messages['queueMoved'][] = [];
  const stop = await frontrow.app.pubsub.listen<'queueMoved'>(topics.queueMoved(concertId), (message) => void heard.push(message));
  listening.push(stop);
  return heard;
};
const waited = async (): Promise<string> => {
  const { id } = await frontrow.build.concert();
  await queue.setPolicy(id, { activeMax: 0 });
  await queue.joinInTurn(await frontrow.build.buyers(1), id);
  await queue.tick();
  return id;
};
const dirty = (concertId: string) => frontrow.app.redis.hset(keys.queueState(concertId), 'dirty', 1);

test('Q3: what a tick has found is told by whichever of its looks: what happens while a great batch ends is not lost', async () => {
  const concertId = await waited();
  const { redis } = frontrow.app;
  const over = Array.from({ length: 500 }, (_, index) => `someone-${index}`);
  await redis.zadd(keys.queueActive(concertId), ...over.flatMap((user) => [1, user]));
  await redis.hset(keys.queuePlaces(concertId), ...over.flatMap((user, index) => [user, index + 1]));
  class Slow extends QueueStore {
    override async end(...args: Parameters<QueueStore['end']>): Promise<string[]> {
      const ended = await super.end(...args);
      if (ended.length > 0) await Promise.all([dirty(concertId), ageHeartbeat(concertId)]);
      return ended;
    }
  }
  const heard = await heardOf(concertId);
  await admissionOf((...args) => new Slow(...args)).tick();
  await eventually(() => heard.some(({ line }) => line), 'the line');
  expect(heard.at(-1)).toMatchObject({ moved: true, heartbeat: true, line: { unlisted: true } });
});

test('Q7: several queues are looked after at once, and all of them, however many there are', async () => {
  const concertIds: string[] = [];
  for (let count = 0; count < QUEUES_AT_ONCE + 2; count += 1) concertIds.push(await waited());
  const heard = await Promise.all(concertIds.map(heardOf));
  await Promise.all(concertIds.map(dirty));
  let [looking, most] = [0, 0];
  const full = Promise.withResolvers<void>();
  class Together extends QueueStore {
    /** The first are looked at only when as many as may be are on their way: one after the other the tick would never end. */
    override async look(...args: Parameters<QueueStore['look']>) {
      most = Math.max(most, (looking += 1));
      if (looking === QUEUES_AT_ONCE) full.resolve();
      await full.promise;
      return super.look(...args).finally(() => (looking -= 1));
    }
  }
  await admissionOf((...args) => new Together(...args)).tick();
  expect(most).toBe(QUEUES_AT_ONCE);
  await eventually(() => heard.every((messages) => messages.some(({ moved }) => moved)), 'word of each');
});

test('Q7: a queue in which nobody waits is looked after twice a second, the others with each tick of the job', async () => {
  const concert = await frontrow.build.concert();
  const [active, waiting] = await frontrow.build.buyers(2);
  await queue.setPolicy(concert.id, { activeMax: 1 });
  await queue.join(active!, concert.id);
  await queue.tick();
  const looks: string[] = [];
  class Noting extends QueueStore {
    override look(...args: Parameters<QueueStore['look']>) {
      looks.push(args[0]);
      return super.look(...args);
    }
  }
  const admission = admissionOf((...args) => new Noting(...args));
  const looked = async (sparing = true): Promise<boolean> => {
    looks.length = 0;
    await admission.tick(sparing);
    return looks.includes(concert.id);
  };
  const from = performance.now();
  const clock = jest.spyOn(performance, 'now').mockReturnValue(from);
  try {
    expect([await looked(), await looked()]).toEqual([true, false]);
    expect(await looked(false)).toBe(true);
    // To the nearest tick.
    const nextAt = from + QUIET_MS - frontrow.app.config.queue.tickMs / 2;
    clock.mockReturnValue(nextAt - 1);
    expect(await looked()).toBe(false);
    clock.mockReturnValue(nextAt);
    expect([await looked(), await looked()]).toEqual([true, false]);
    await queue.join(waiting!, concert.id);
    expect([await looked(), await looked()]).toEqual([true, true]);
  } finally {
    clock.mockRestore();
  }
});

test('Q7: where one queue is broken, a tick ends when the others are done, and the next one tries it again', async () => {
  const [broken, slow] = [await waited(), await waited()];
  await frontrow.app.redis.del(keys.queueWaiting(broken));
  const done: string[] = [];
  class Broken extends QueueStore {
    override async look(...args: Parameters<QueueStore['look']>) {
      if (args[0] === broken) throw new Error('broken');
      if (args[0] === slow) for (let turns = 0; turns < 20; turns += 1) await turn();
      return super.look(...args).finally(() => done.push(args[0]));
    }
  }
  const admission = admissionOf((...args) => new Broken(...args));
  await expect(admission.tick(true)).rejects.toThrow('broken');
  expect(done).toContain(slow);
  await expect(admission.tick(true)).rejects.toThrow('broken');
});

test('Q7: the passes of all queues are mended one look at a time', async () => {
  const concertIds: string[] = [];
  for (let count = 0; count < 3; count += 1) {
    const { id } = await frontrow.build.concert();
    await queue.joinInTurn(await frontrow.build.buyers(1), id);
    concertIds.push(id);
  }
  await queue.tick();
  await Promise.all(concertIds.map(ageHeartbeat));
  const mended: string[] = [];
  let [mending, most] = [0, 0];
  class Mending extends QueueStore {
    override async end(...args: Parameters<QueueStore['end']>): Promise<string[]> {
      if (args[1] !== 'PAID') return super.end(...args);
      mended.push(args[0]);
      most = Math.max(most, (mending += 1));
      for (let turns = 0; turns < 200; turns += 1) await turn();
      mending -= 1;
      return super.end(...args);
    }
  }
  await admissionOf((...args) => new Mending(...args)).tick();
  expect(mended).toEqual(expect.arrayContaining(concertIds));
  expect(most).toBe(1);
});

test('Q3: what a tick could not tell is told by the next', async () => {
  const concertId = await waited();
  class Mute extends QueueStore {
    override tell(): Promise<void> {
      return Promise.reject(new Error('no'));
    }
  }
  await dirty(concertId);
  await admissionOf((...args) => new Mute(...args)).tick();
  const heard = await heardOf(concertId);
  await queue.tick();
  await eventually(() => heard.length > 0, 'the message');
  expect(heard[0]).toMatchObject({ moved: true, line: { unlisted: true } });
});
