import type { ReservationStatus } from './states.js';

/** What services and workers count for the operator; the composition root gives the real ones. */
export interface Counters {
  /** A hold reached this status. */
  reservationBecame(status: ReservationStatus): void;
  /** A reserve was turned away: at the gate (Redis) or by the database. */
  reserveRefused(by: 'gate' | 'database'): void;
  /** What follows a commit failed; the commit stands. Counted and logged here, so that whoever reports it need not. */
  followUpFailed(step: string, error: unknown): void;
  /** A transaction ran again: errno of the driver's error, or `version`. */
  transactionRetried(reason: string): void;
  /** Users admitted from a queue. */
  admitted(count: number): void;
  /** A reservation of a cancelled date was given back. */
  cancellationEnded(status: ReservationStatus): void;
  /** It could not be, and is tried again. Counted and logged here. */
  cancellationFailed(reservationId: string, error: unknown): void;
  /** A queue was brought back after Redis was restarted; `lost` where places may be missing, so that admission pauses. */
  queueRebuilt(state: 'kept' | 'lost'): void;
  /** A job ran this long after it was due. */
  jobLag(job: string, lagMs: number): void;
  /** Events reached the stream. */
  eventsPublished(count: number): void;
  /** Events reached the stream once more, because Redis had lost them. */
  eventsPublishedAgain(count: number): void;
  /** An attempt to deliver to a webhook ended: DEAD and FAILED alike did not arrive, FAILED is tried again. */
  webhookTried(outcome: 'DELIVERED' | 'FAILED' | 'DEAD'): void;
}
