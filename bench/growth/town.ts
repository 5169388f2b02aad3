import { createConnection } from 'mysql2/promise';
import { createApp, type App } from '../../src/app.js';
import { migrate } from '../../src/database/migrate.js';
import type { Viewer } from '../../src/domain/viewer.js';
import { keys } from '../../src/redis/keys.js';
import { QueueStore } from '../../src/redis/queue-store.js';
import { fill, type Filled } from '../data/fill.js';
import { idOf } from '../data/ids.js';
import type { Sample } from '../support/stats.js';
import { medianOf } from '../support/stats.js';
import type { BenchWorld } from '../support/world.js';

/** A Frontrow with so many users and seats, and a queue in which all of them wait, beside others in the same stores. */

/** Joins that are sent together while the queue is filled. */
const JOINS_AT_ONCE = 2000;
const HOUR_MS = 3_600_000;
/** Of each measurement: enough for a median. */
const [RESERVES, POSITIONS, TICKS, ADMITTED_A_TICK] = [20, 300, 5, 20];
const ADMIT_INTERVAL_MS = 30;

/** What people who wait cost Redis, in bytes for each. */
export interface Memory {
  line: number;
  events: number;
}

export class Town {
  #seat: number;
  #buyers: number;

  private constructor(
    readonly size: number,
    private readonly app: App,
    filled: Filled,
    readonly memory: Memory,
  ) {
    this.#seat = filled.takenPerDate;
    this.#buyers = size;
  }

  /** `place` tells its database and its Redis apart from those of others. */
  static async build(world: BenchWorld, size: number, place: number): Promise<Town> {
    const name = `town_${place}`;
    const stores = { database: { socketPath: world.database.socket, name }, redis: `${world.redis.socket}?db=${place}` };
    const app = await createApp(world.app.config, stores, world.app.logger);
    await migrate(app.orm);
    const connection = await createConnection({ socketPath: world.database.socket, user: 'root', database: name });
    const filled = await fill(connection, size, size).finally(() => connection.end());
    return new Town(size, app, filled, await fillQueue(app, size));
  }

  close(): Promise<void> {
    return this.app.close();
  }

  async measure(): Promise<Sample> {
    return { reserveMs: await this.#reserveMs(), positionMs: await this.#positionMs(), admissionMs: await this.#admissionMs() };
  }

  #reserveMs(): Promise<number> {
    return medianTime(RESERVES, () => this.app.services.reservations.reserve(viewerOf((this.#buyers += 1)), { scheduleId: idOf('schedule', 1), seatNumbers: [(this.#seat += 1)] }));
  }

  /** Of somebody anywhere in the line. */
  #positionMs(): Promise<number> {
    return medianTime(POSITIONS, () => this.app.services.queue.position(viewerOf(1 + Math.floor(Math.random() * this.size)), CONCERT));
  }

  /** Of a tick that admits as many as a tick may. */
  async #admissionMs(): Promise<number> {
    const times: number[] = [];
    while (times.length < TICKS) {
      const before = await this.app.redis.zcard(keys.queueWaiting(CONCERT));
      const startedAt = performance.now();
      await this.app.services.queue.tick();
      const tookMs = performance.now() - startedAt;
      if ((await this.app.redis.zcard(keys.queueWaiting(CONCERT))) === before - ADMITTED_A_TICK) times.push(tookMs);
    }
    return medianOf(times);
  }
}

const CONCERT = idOf('concert', 1);
const viewerOf = (n: number): Viewer => ({ userId: idOf('user', n), role: 'USER', sessionId: idOf('session', n), tokenExpiresAt: new Date(Date.now() + HOUR_MS) });

async function medianTime(times: number, work: () => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let time = 0; time < times; time += 1) {
    const startedAt = performance.now();
    await work();
    taken.push(performance.now() - startedAt);
  }
  return medianOf(taken);
}

/** Through the script that joins. Somebody asks first: that makes the queue usable in this Redis. */
async function fillQueue(app: App, users: number): Promise<Memory> {
  await app.services.queue.position(viewerOf(users + 1), CONCERT);
  await app.services.queue.setPolicy(CONCERT, { admitCount: ADMITTED_A_TICK, admitIntervalMs: ADMIT_INTERVAL_MS });
  const store = new QueueStore(app.redis, app.redisRun, () => Promise.reject(new Error('The queue was lost.')));
  for (let from = 1; from <= users; from += JOINS_AT_ONCE) {
    const joining = Array.from({ length: Math.min(JOINS_AT_ONCE, users - from + 1) }, (_, index) => idOf('user', from + index));
    await Promise.all(joining.map((userId) => store.join(CONCERT, userId, true)));
  }
  const sizeOf = async (key: string): Promise<number> => Number((await app.redis.memory('USAGE', key, 'SAMPLES', 0)) ?? 0) / users;
  const line = (await Promise.all([keys.queueWaiting(CONCERT), keys.queueSeen(CONCERT)].map(sizeOf))).reduce((sum, bytes) => sum + bytes, 0);
  return { line, events: await sizeOf(keys.queueEvents(CONCERT)) };
}
