import type { Logger } from 'pino';
import { datesOnSaleWithin } from '../database/repositories/schedule.repository.js';
import type { Transactions } from '../database/transaction.js';
import type { SeatBoard } from './seat-board.js';

/** Reads the seats of what is on sale, or goes on sale soon, before anybody asks: a process that has just started is no slower than the others. Nobody waits for it. */

export const WARM_WITHIN_MS = 7 * 86_400_000;
/** Half of what a process keeps in memory: what is asked for beside it has room. */
export const WARM_SEATS_MAX = 250_000;
const WARM_DATES_MAX = 1000;
const DATES_PER_LINE = 50;
/** One date may be gone by then, or slow; where so many in turn cannot be read none can. */
export const FAILED_IN_TURN_MAX = 3;

export class WarmUp {
  #isStopped = false;

  constructor(
    private readonly transactions: Transactions,
    private readonly board: SeatBoard,
    private readonly logger: Logger,
    private readonly seatsMax = WARM_SEATS_MAX,
  ) {}

  /** One date after the other, so that requests have the rest of the process. Answers how many dates were read. */
  async run(): Promise<number> {
    const started = performance.now();
    let [dates, seats, failed] = [0, 0, 0];
    try {
      const found = await datesOnSaleWithin(this.transactions.fork(), WARM_WITHIN_MS, WARM_DATES_MAX);
      for (const date of found) {
        if (this.#isStopped) break;
        if (seats + date.seats > this.seatsMax) continue;
        try {
          await this.board.copyOf(date.id);
        } catch (error) {
          failed += 1;
          if (failed === FAILED_IN_TURN_MAX) throw error;
          this.logger.warn({ err: error, scheduleId: date.id }, 'not warmed up: its seats are read when they are asked for');
          continue;
        }
        [dates, seats, failed] = [dates + 1, seats + date.seats, 0];
        if (dates % DATES_PER_LINE === 0) this.logger.info({ dates, of: found.length, seats }, 'warming up');
      }
      this.logger.info({ dates, seats, ms: Math.round(performance.now() - started) }, 'warmed up');
    } catch (error) {
      this.logger.warn({ err: error, dates, seats }, 'not warmed up: the seats are read when they are asked for');
    }
    return dates;
  }

  stop(): void {
    this.#isStopped = true;
  }
}
