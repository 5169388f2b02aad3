import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Redis } from 'ioredis';
import { v7 as uuid } from 'uuid';
import { startOwnStores, type OwnStores } from '../../src/launcher/own-stores.js';
import { connectFailFast } from '../../src/redis/client.js';
import { SeatGate } from '../../src/redis/seat-gate.js';
import { ServerRun } from '../../src/redis/server-run.js';
import { SessionCache } from '../../src/redis/session-cache.js';
import { eventually } from '../support/eventually.js';

/** A Redis that starts again with everything it remembers: what it says of seats and sessions may have been undone since. */

const logger = pino({ level: 'silent' });
const NEEDED = { database: false, redis: true };

let folder: string;
let stores: OwnStores;
let redis: Redis;
let run: ServerRun;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'run-'));
  stores = await startOwnStores(folder, () => undefined, NEEDED);
  redis = await connectFailFast(stores.redis, logger);
  run = new ServerRun(redis);
});
afterAll(async () => {
  redis.disconnect();
  await stores.stop();
  rmSync(folder, { recursive: true });
});

/** How often each of these was sent by the second of two calls; the beat of the connection is none of them. */
async function sentBy(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const calls = async (name: string): Promise<number> => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(await redis.info('commandstats'))?.[1] ?? 0);
  const names = ['evalsha', 'get', 'info'];
  await work();
  const before = await Promise.all(names.map(calls));
  await work();
  const after = await Promise.all(names.map(calls));
  return Object.fromEntries(names.map((name, index) => [name, after[index]! - before[index]!]));
}

test('P4: seats and sessions of the run before are not believed, though Redis still has them; and nothing is asked twice', async () => {
  const gate = new SeatGate(redis, run);
  const cache = new SessionCache(redis, run, 60_000, logger);
  const attempt = () => ({ concertId: 'concert', scheduleId: 'date', userId: uuid(), attemptId: uuid(), numbers: [1] });
  const sessionId = uuid();
  expect((await gate.take(attempt())).taken).toEqual([]);
  expect((await gate.take(attempt())).taken).toEqual([1]);
  cache.remember(sessionId, 'active', 60_000);
  await eventually(async () => (await cache.read(sessionId)) === 'active', 'the session');
  // Three of the INFO are the counting itself.
  expect(await sentBy(() => gate.take(attempt()))).toEqual({ evalsha: 1, get: 0, info: 3 });
  expect(await sentBy(() => cache.read(sessionId))).toEqual({ evalsha: 0, get: 1, info: 3 });
  const [before, remembered] = [await run.current(), await redis.dbsize()];
  expect(remembered).toBe(2);

  await stores.stop();
  await eventually(() => redis.status !== 'ready', 'the connection to break');
  await expect(run.current()).rejects.toThrow();
  stores = await startOwnStores(folder, () => undefined, NEEDED);
  await eventually(() => redis.status === 'ready', 'the connection');
  expect(await redis.dbsize()).toBe(remembered);
  expect(await run.current()).not.toBe(before);
  expect(await cache.read(sessionId)).toBeNull();
  expect((await gate.take(attempt())).taken).toEqual([]);
});
