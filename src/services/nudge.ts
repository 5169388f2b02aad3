import type { Counters } from '../domain/counters.js';
import { within } from '../redis/within.js';

/** Asks for something to be done soon; never keeps and never fails the caller. However often it is asked meanwhile, one asking is under way and one follows it. */
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
      }
    } catch (error) {
      this.counters.followUpFailed(this.step, error);
    } finally {
      this.#asking = false;
    }
  }
}
