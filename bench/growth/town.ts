import { createConnection } from 'mysql2/promise';
import { createApp, type App } from '../../src/app.js';
import { migrate } from '../../src/database/migrate.js';
import { keys } from '../../src/redis/keys.js';
import { fill, type Filled } from '../data/fill.js';
import { idOf } from '../support/ids.js';
import { fillLine, viewerOf } from '../data/line.js';
import { medianTime } from '../data/measure.js';
import { medianOf, type Sample } from '../support/stats.js';
import type { BenchWorld } from '../support/world.js';

/** A Frontrow with so many users and seats, and a queue in which all of them wait, beside others in the same stores. */

/** Of each measurement: enough for a median. */
const [RESERVES, POSITIONS, TICKS, ADMITTED_A_TICK] = [20, 300, 6, 10];
const ADMIT_INTERVAL_MS = 10;
const TRIES_MAX = 2000;

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
    const filled = await fill(connection, size, size, () => fillLine(app, CONCERT, size)).finally(() => connection.end());
    await app.services.queue.setPolicy(CONCERT, { admitCount: ADMITTED_A_TICK, admitIntervalMs: ADMIT_INTERVAL_MS });
    return new Town(size, app, filled, await memoryOf(app, size));
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
    // A tick that comes too early for its interval admits nobody, or a part.
    for (let tries = 0; times.length < TICKS; tries += 1) {
      if (tries === TRIES_MAX) throw new Error(`Of ${tries} ticks ${times.length} admitted as many as they may.`);
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

/** Bytes for each of them. */
async function memoryOf(app: App, users: number): Promise<Memory> {
  const sizeOf = async (key: string): Promise<number> => Number((await app.redis.memory('USAGE', key, 'SAMPLES', 0)) ?? 0) / users;
  const line = (await Promise.all([keys.queueWaiting(CONCERT), keys.queueSeen(CONCERT)].map(sizeOf))).reduce((sum, bytes) => sum + bytes, 0);
  return { line, events: await sizeOf(keys.queueEvents(CONCERT)) };
}
