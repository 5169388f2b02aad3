import { setTimeout as delay } from 'node:timers/promises';
import type { Counters } from '../domain/counters.js';
import { within } from '../redis/within.js';

/** A busy process asks no more often than this. */
const PAUSE_MS = 20;

/**
 * Asks for something to be done soon; never keeps and never fails the caller. However often it is asked meanwhile, one asking is under way and one follows it, a
 * moment later.
 */
export class Nudge {
  #asking = false;
  #again = false;

  constructor(
    private readonly step: string,
    private readonly ask: () => Promise<unknown>,
    private readonly counters: Counters,
  ) {}

  give(): void {
    this.#again = true;
    if (!this.#asking) void this.#askWhileWanted();
  }

  async #askWhileWanted(): Promise<void> {
    this.#asking = true;
    try {
      while (this.#again) {
        this.#again = false;
        await within(this.ask());
        await delay(PAUSE_MS, undefined, { ref: false });
      }
    } catch (error) {
      this.counters.followUpFailed(this.step, error);
    } finally {
      this.#asking = false;
    }
  }
}
