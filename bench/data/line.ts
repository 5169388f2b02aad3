import type { App } from '../../src/app.js';
import type { Viewer } from '../../src/domain/viewer.js';
import type { QueuePolicy } from '../../src/domain/queue.js';
import { QueueStore } from '../../src/redis/queue-store.js';
import type { Sample } from '../support/stats.js';
import { idOf } from '../support/ids.js';
import { medianTime } from './measure.js';

/** A line of so many people. */

/** Joins that are sent together while the line is filled. */
const JOINS_AT_ONCE = 2000;
const HOUR_MS = 3_600_000;
/** Everybody may come in. */
const POLICY: QueuePolicy = { admitCount: 1_000_000, admitIntervalMs: 1000, activeMax: 1_000_000 };
const PROPOSED = 20;
const TIMES = 300;

export const viewerOf = (n: number): Viewer => ({ userId: idOf('user', n), role: 'USER', sessionId: idOf('session', n), tokenExpiresAt: new Date(Date.now() + HOUR_MS) });

/** Users 1 to `users` join by the script that joins; somebody else asks first, which makes the queue usable in this Redis. */
export async function fillLine(app: App, concertId: string, users: number): Promise<QueueStore> {
  await app.services.queue.position(viewerOf(users + 1), concertId);
  const store = new QueueStore(app.redis, app.redisRun, () => Promise.reject(new Error('The queue was lost.')));
  for (let from = 1; from <= users; from += JOINS_AT_ONCE) {
    const joining = Array.from({ length: Math.min(JOINS_AT_ONCE, users - from + 1) }, (_, index) => idOf('user', from + index));
    await Promise.all(joining.map((userId) => store.join(concertId, userId, true)));
  }
  return store;
}

/** What Redis takes to tell a rank anywhere in the line, and to admit those in front, one script after the other. */
export async function timeLine(store: QueueStore, concertId: string, users: number): Promise<Sample> {
  const rankMs = await medianTime(TIMES, () => store.positions(concertId, [idOf('user', users - Math.floor((Math.random() * users) / 2))], 0));
  const admitMs = await medianTime(TIMES / 30, async () => {
    const places = (await store.propose(concertId, POLICY)).slice(0, PROPOSED);
    await store.admit(concertId, POLICY, HOUR_MS, places);
  });
  return { rankMs, admitMs };
}
