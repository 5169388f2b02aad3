import type { QueueStatus } from './states.js';

/** A user's place in a queue that is known; places are ordered by (epoch, sequence) and never change. */
export interface Place {
  userId: string;
  place: number;
}

export interface QueuePlace extends Place {
  concertId: string;
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
const HEARTBEAT_EVERY_MS = 5000;
/** Several signs of life fit into the grace, so that a lost one costs nobody the place. */
const SIGNS_PER_GRACE = 3;
/** Between two signs of life of one who watches, at most. */
export const presenceMsOf = (absenceGraceMs: number): number => Math.ceil(absenceGraceMs / SIGNS_PER_GRACE);
/** Between two questions to all processes who is still here. */
export const heartbeatMsOf = (absenceGraceMs: number): number => Math.min(HEARTBEAT_EVERY_MS, presenceMsOf(absenceGraceMs));
/** Whom a moving line is told at once, as promised; those behind hear of it within 10 s. */
export const NEAR_POSITIONS = 1000;
/** Intervals whose admissions make the estimated wait. */
export const ESTIMATE_INTERVALS = 5;

/** A place is its epoch times this and its sequence: newer epochs stand behind older ones; exact up to epoch 8191 as a double. */
export const PLACES_PER_EPOCH = 2 ** 40;

/** What admission did lately. */
export interface Pace {
  /** Of the last whole intervals, newest first. */
  admissions: readonly number[];
  intervalMs: number;
  /** Null before the first admission. */
  sinceAdmissionMs: number | null;
  /** As many are active as may be. */
  full: boolean;
}

/** With room for more, whole intervals without an admission this often in a row mean that admission stands still; without room, once. */
const STILL_INTERVALS = 2;

const standsStill = ({ intervalMs, sinceAdmissionMs, full }: Pace): boolean =>
  sinceAdmissionMs === null || sinceAdmissionMs >= intervalMs * (full ? 1 : STILL_INTERVALS);

/** Seconds until `position` is next at the pace of the last intervals; null until one has passed and while admission stands still. */
export function estimatedWaitSeconds(position: number, pace: Pace): number | null {
  const intervals = pace.admissions.slice(0, ESTIMATE_INTERVALS);
  const admitted = intervals.reduce((sum, count) => sum + count, 0);
  if (admitted === 0 || standsStill(pace)) return null;
  return Math.ceil((position / (admitted / intervals.length)) * (pace.intervalMs / 1000));
}

/** The sale of a concert at one instant of the database's clock. */
export interface Sale {
  now: Date;
  opensAt: Date;
  closesAt: Date | null;
  /** When its last date begins; null while it has no date. */
  lastStartsAt: Date | null;
}

export const saleHasOpened = ({ now, opensAt }: Sale): boolean => opensAt <= now;
/** Closed, or every date has begun. */
export const saleIsOver = ({ now, closesAt, lastStartsAt }: Sale): boolean => [closesAt, lastStartsAt].some((end) => end !== null && end <= now);

/** When one may join. */
export type JoinWindow = 'early' | 'open' | 'closed';

export function joinWindow(sale: Sale): JoinWindow {
  if (sale.now.getTime() < sale.opensAt.getTime() - JOIN_LEAD_MS) return 'early';
  return saleIsOver(sale) ? 'closed' : 'open';
}

/** Whether a watcher needs to hear of it: the crowd's size alone is no news, or every join would be told to everyone. */
export const isNews = (known: QueuePosition | null, now: QueuePosition): boolean =>
  known === null ||
  known.status !== now.status ||
  known.position !== now.position ||
  known.expiresAt?.getTime() !== now.expiresAt?.getTime() ||
  known.seatsMayRemain !== now.seatsMayRemain ||
  (known.estimatedWaitSeconds === null) !== (now.estimatedWaitSeconds === null);

export const hasEnded = (position: QueuePosition): boolean => position.status === 'COMPLETED' || position.status === 'EXPIRED';
