import { setTimeout as delay } from 'node:timers/promises';
import type { World } from './world.js';

/** The clock of the database, read without asking it: how far it is from this process's own was measured. */
export class DatabaseClock {
  private constructor(readonly aheadMs: number) {}

  static async measure(world: World): Promise<DatabaseClock> {
    let best = { tookMs: Infinity, aheadMs: 0 };
    for (let attempt = 0; attempt < CLOCK_READS; attempt += 1) {
      const askedAt = performance.now();
      const wall = Date.now();
      const [row] = await world.app.transactions.fork().execute<{ us: number | string }[]>("select timestampdiff(microsecond, '1970-01-01', sysdate(6)) as us");
      const tookMs = performance.now() - askedAt;
      if (tookMs < best.tookMs) best = { tookMs, aheadMs: Number(row!.us) / 1000 - (wall + tookMs / 2) };
    }
    // Less than this cannot be told apart from the time that asking takes.
    return new DatabaseClock(Math.abs(best.aheadMs) <= best.tookMs + 1 ? 0 : best.aheadMs);
  }

  now(): number {
    return Date.now() + this.aheadMs;
  }

  async until(time: number, signal: AbortSignal): Promise<void> {
    const left = time - this.now();
    if (left > 0) await delay(left, undefined, { signal });
  }
}

const CLOCK_READS = 20;

/** How long before the end a payment must be sent so that as many are in time as are late: down after one in time, up after one too late. */
export class Aim {
  readonly #last: boolean[] = [];
  readonly #sentToJudged: number[] = [];
  #stepMs = STEP_FIRST_MS;

  constructor(public leadMs: number) {}

  /** `judgedAfterMs`: from sending to the time that the database wrote, where it wrote one. */
  shot(inTime: boolean, judgedAfterMs?: number): void {
    if (judgedAfterMs !== undefined) this.#sentToJudged.push(judgedAfterMs);
    if (this.#last.length > 0 && this.#last.at(-1) !== inTime) this.#stepMs = Math.max(STEP_LAST_MS, this.#stepMs * STEP_DECAY);
    this.leadMs = Math.max(0, this.leadMs + (inTime ? -this.#stepMs : this.#stepMs));
    this.#last.push(inTime);
    if (this.#last.length > REMEMBERED) this.#last.shift();
  }

  /** Share of those in time, of the last ones; undefined while there are too few. */
  get share(): number | undefined {
    return this.#last.length < REMEMBERED / 2 ? undefined : this.#last.filter(Boolean).length / this.#last.length;
  }

  get latencyMs(): number {
    return this.#sentToJudged.toSorted((a, b) => a - b)[Math.floor(this.#sentToJudged.length / 2)] ?? Number.NaN;
  }
}

const REMEMBERED = 60;
const STEP_FIRST_MS = 3;
const STEP_LAST_MS = 0.25;
const STEP_DECAY = 0.8;
