import type { QueueStatus } from './states.js';

/** A user's place in a concert's queue; places are ordered by (epoch, sequence) and never change. */
export interface QueuePlace {
  concertId: string;
  userId: string;
  place: number;
}

export interface QueuePosition {
  concertId: string;
  userId: string;
  status: QueueStatus;
  /** Rank among those waiting, 1 is next; 0 unless WAITING. */
  position: number;
  waiting: number;
  estimatedWaitSeconds: number | null;
  expiresAt: Date | null;
  seatsMayRemain: boolean;
}

/** How fast and how far a queue admits. */
export interface QueuePolicy {
  admitCount: number;
  admitIntervalMs: number;
  activeMax: number;
}

/** The queue can be joined this long before the sale opens. */
export const JOIN_LEAD_MS = 3_600_000;
/** An ended place can still be asked for this long. */
export const ENDED_KEPT_MS = 3_600_000;
/** Intervals whose admissions make the estimated wait. */
export const ESTIMATE_INTERVALS = 5;

const SEQUENCE_BITS = 40;
/** Newer epochs stand behind older ones whatever their sequence; exact up to epoch 8191 as a double. */
export const placeOf = (epoch: number, sequence: number): number => epoch * 2 ** SEQUENCE_BITS + sequence;

/** Seconds until `position` is next at the pace of the last intervals; null while nothing is known or nothing moves. */
export function estimatedWaitSeconds(position: number, admissions: readonly number[], intervalMs: number): number | null {
  const admitted = admissions.slice(0, ESTIMATE_INTERVALS).reduce((sum, count) => sum + count, 0);
  if (admitted === 0) return null;
  const perInterval = admitted / Math.min(admissions.length, ESTIMATE_INTERVALS);
  return Math.ceil((position / perInterval) * (intervalMs / 1000));
}
