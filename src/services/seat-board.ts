import type { DateChanges } from '../domain/seat-change.js';

/** What every process knows of the seats of the dates that are asked for, kept true by what the processes tell each other. */
export class SeatBoard {
  /** After the commit. Telling twice, or late, harms nothing: versions tell what is newer. */
  async tell(_changes: readonly DateChanges[]): Promise<void> {}

  /** For who knows that seats changed and not into what: reads them and tells. */
  async reread(_concertId: string, _scheduleId: string, _numbers: readonly number[]): Promise<void> {}
}
