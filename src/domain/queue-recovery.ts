import { PLACES_PER_EPOCH, type Place } from './queue.js';
import type { PassEnding } from './states.js';

/** What the database remembers of a place that was admitted, or ended. */
export interface PassRow extends Place {
  /** Whether the pass was handed over. */
  admitted: boolean;
  /** One in which its user had the pass; null where that is not known. */
  admittedEpoch: number | null;
  endedBy: PassEnding | null;
  /** Until the pass is over; less than 1 where it is. */
  remainingMs: number;
}

/** ADMITTED is an ACTIVE pass that was written and maybe not handed over; a place that WAITS has no row, or one of an admission that was cut short. */
export type Remembered = 'WAITING' | 'ACTIVE' | 'ADMITTED' | 'COMPLETED' | 'EXPIRED';

export function rememberedAs({ admitted, endedBy, remainingMs }: PassRow): Remembered {
  if (endedBy === 'PAID') return 'COMPLETED';
  if (endedBy === 'TIME' || (endedBy === null && remainingMs < 1)) return admitted ? 'EXPIRED' : 'WAITING';
  if (endedBy !== null) return 'EXPIRED';
  return admitted ? 'ACTIVE' : 'ADMITTED';
}

/**
 * A user has one place at a time, and whoever was admitted at a newer one has given up the older. One who was admitted at whatever place in an epoch after that
 * of this place had lost this one by then, and comes back to it no more: or two losses of Redis would admit somebody twice.
 */
export const isGivenUp = ({ place }: Pick<Place, 'place'>, rowsOfUser: readonly PassRow[]): boolean =>
  rowsOfUser.some(
    (row) => row.admitted && row.place !== place && (row.place > place || (row.admittedEpoch !== null && row.admittedEpoch > Math.floor(place / PLACES_PER_EPOCH))),
  );

/** What becomes of a place that Redis has lost, by all rows of its user. */
export function lostPlace({ place }: Place, rowsOfUser: readonly PassRow[]): { status: Exclude<Remembered, 'ADMITTED'>; remainingMs: number } {
  const own = rowsOfUser.find((row) => row.place === place);
  const status = own ? rememberedAs(own) : 'WAITING';
  const waits = status === 'WAITING' || status === 'ADMITTED';
  if (waits && isGivenUp({ place }, rowsOfUser)) return { status: 'EXPIRED', remainingMs: 0 };
  return { status: status === 'ADMITTED' ? 'WAITING' : status, remainingMs: own?.remainingMs ?? 0 };
}
