import { Queue, QueueEvents, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { v7 as uuid } from 'uuid';
import { readSeat, takeSeat, untilAnswered, writeHold, type Answer, type Strategy, type Tools, type Wish } from './strategy.js';

/** Strategies that let Redis decide who may ask the database. */

const LOCK_MS = 5000;
const SPIN_MS = 5;
const RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/** A lock in Redis for each seat, taken by SET NX and asked for again after some milliseconds, as lock libraries do. */
export const redisLock = ({ connections, redis: url, tally }: Tools): Strategy => {
  const redis = new Redis(url);
  return {
    async buy(wish) {
      const [key, token] = [`lock:${wish.date}:${wish.seat}`, uuid()];
      return untilAnswered(tally, async () => {
        if ((await redis.set(key, token, 'PX', LOCK_MS, 'NX')) !== 'OK') {
          await delay(SPIN_MS + Math.random() * SPIN_MS);
          return 'AGAIN';
        }
        try {
          return await sell(connections, wish);
        } finally {
          await redis.eval(RELEASE, 1, key, token);
        }
      });
    },
    close: () => Promise.resolve(redis.disconnect()),
  };
};

/** Every wish is a job of one queue, and one worker does one after the other. */
export const bullmqQueue = ({ connections, redis: url }: Tools): Strategy => {
  const [connection, listener] = [0, 1].map(() => new Redis(url, { maxRetriesPerRequest: null }));
  const name = `wishes-${uuid()}`;
  const [queue, events] = [new Queue<Wish, Answer>(name, { connection: connection! }), new QueueEvents(name, { connection: listener! })];
  // As many listen as wait.
  events.setMaxListeners(0);
  const worker = new Worker<Wish, Answer>(name, ({ data }) => sell(connections, data), { connection: connection!, concurrency: 1 });
  return {
    async buy(wish) {
      await events.waitUntilReady();
      const job = await queue.add('buy', wish, { removeOnComplete: true });
      return job.waitUntilFinished(events);
    },
    async close() {
      await worker.close();
      await Promise.all([events.close(), queue.close()]);
      for (const client of [connection, listener]) client!.disconnect();
    },
  };
};

/** Nobody else is at this seat. */
const sell = (connections: Tools['connections'], wish: Wish): Promise<Answer> =>
  connections.transaction<Answer>(async (db) => {
    const { id: seatId, status } = await readSeat(db, wish);
    if (status !== 'AVAILABLE') return { commit: false, answer: 'REFUSED' };
    const id = uuid();
    await takeSeat(db, wish, id);
    await writeHold(db, wish, id, seatId, null);
    return { commit: true, answer: 'HELD' };
  });
