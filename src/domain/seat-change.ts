import type { SeatStatus } from './states.js';

/** What a commit made of a seat. Versions grow with each change of its status, so that word of an older one is known for late. */
export interface SeatChange {
  number: number;
  status: SeatStatus;
  version: number;
  /** A hold counts only until then, by the database's clock; null unless HELD. */
  heldUntil: Date | null;
}

/** Changes of one date's seats that were committed together. */
export interface DateChanges {
  concertId: string;
  scheduleId: string;
  seats: readonly SeatChange[];
}
