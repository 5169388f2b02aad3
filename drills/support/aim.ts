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

/** How long before the end something must be done so that as many payments are in time as are late: down after one in time, up after one too late. */
export class Aim {
  #last: boolean | undefined;
  readonly #sentToJudged: number[] = [];
  #stepMs = STEP_FIRST_MS;

  constructor(public leadMs: number) {}

  /** `judgedAfterMs`: from sending to the time that the database wrote, where it wrote one. */
  shot(inTime: boolean, judgedAfterMs?: number): void {
    if (judgedAfterMs !== undefined) this.#sentToJudged.push(judgedAfterMs);
    // Turns make the steps small; a row of the same means that the target is far off, or moves.
    if (this.#last !== undefined) this.#stepMs = this.#last === inTime ? Math.min(STEP_FIRST_MS, this.#stepMs * STEP_GROWTH) : Math.max(STEP_LAST_MS, this.#stepMs * STEP_DECAY);
    this.leadMs = Math.max(0, this.leadMs + (inTime ? -this.#stepMs : this.#stepMs));
    this.#last = inTime;
  }

  /** The median; of the last so many only, if told. */
  latencyMs(last = this.#sentToJudged.length): number {
    const latest = this.#sentToJudged.slice(-last).sort((a, b) => a - b);
    return latest[Math.floor(latest.length / 2)] ?? Number.NaN;
  }
}

const STEP_FIRST_MS = 3;
const STEP_LAST_MS = 0.25;
const STEP_DECAY = 0.7;
const STEP_GROWTH = 1.1;
