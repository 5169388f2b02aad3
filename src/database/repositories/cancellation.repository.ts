import type { EntityManager } from '@mikro-orm/mysql';
import type { ReservationStatus, SeatStatus } from '../../domain/states.js';
import { instantOf, type RawInstant } from '../clock.js';

/** What a cancelled date still has to give back, and how far it is, all of it from the rows: there is no mark of progress that could be lost or be wrong. */

const LIVE = "('HELD', 'CONFIRMED')";
/** A live reservation has seats, unless its time is over and an admin has removed them: then the sweeper ends it with the other holds that are over. Asked for each status by itself, one look into the index finds them. */
const hasSeats = (status: SeatStatus): string => `exists (select 1 from seat force index (seat_status_index) where schedule_id = schedule.id and status = '${status}')`;

/** Cancelled dates of which somebody still holds or owns seats. */
export async function unfinishedCancellations(em: EntityManager, limit: number): Promise<string[]> {
  const rows = await em.execute<{ id: string }[]>(
    `select id from schedule where cancelled_at is not null and (${hasSeats('HELD')} or ${hasSeats('SOLD')}) order by cancelled_at limit ?`,
    [limit],
  );
  return rows.map(({ id }) => id);
}

/** Live reservations of a date, but for those that failed lately; NOW() and not SYSDATE(): each is judged again under its lock. */
export async function reservationsToEnd(em: EntityManager, scheduleId: string, limit: number): Promise<string[]> {
  const rows = await em.execute<{ id: string }[]>(
    `select distinct s.reservation_id as id from seat s force index (seat_status_index) left join cancellation_failure f on f.reservation_id = s.reservation_id
     where s.schedule_id = ? and s.status in ('HELD', 'SOLD') and (f.reservation_id is null or f.retry_at <= now(3)) limit ?`,
    [scheduleId, limit],
  );
  return rows.map(({ id }) => id);
}

/** Waits longer after each failure, a minute at most. */
export async function noteFailure(em: EntityManager, reservationId: string, error: string): Promise<void> {
  await em.execute(
    `insert into cancellation_failure (reservation_id, error, attempts, failed_at, retry_at) values (?, ?, 1, sysdate(3), sysdate(3) + interval 2 second)
     on duplicate key update error = values(error), attempts = attempts + 1, failed_at = sysdate(3), retry_at = sysdate(3) + interval least(60, pow(2, attempts)) second`,
    [reservationId, error],
  );
}

/** How far the cancellation of a date is. What was given back before it does not count, what the buyers themselves gave back since does. */
export interface CancellationProgress {
  paymentsTotal: number;
  paymentsRefunded: number;
  refundedAmount: number;
  holdsCancelled: number;
  /** Reservations that are still live. */
  left: number;
  lastChangeAt: Date | null;
}

export async function progressOf(em: EntityManager, scheduleId: string, cancelledAt: Date): Promise<CancellationProgress> {
  const rows = await em.execute<{ status: ReservationStatus; reservations: number; amount: number | string; lastChangeAt: RawInstant }[]>(
    `select status, count(*) as reservations, sum(total_price) as amount, max(updated_at) as lastChangeAt from reservation
     where schedule_id = ? and (status in ${LIVE} or (status in ('CANCELLED', 'EXPIRED', 'REFUNDED') and updated_at >= ?)) group by status`,
    [scheduleId, cancelledAt],
  );
  const of = (status: ReservationStatus) => rows.find((row) => row.status === status);
  const count = (status: ReservationStatus): number => Number(of(status)?.reservations ?? 0);
  const changes = rows.map(({ lastChangeAt }) => instantOf(lastChangeAt).getTime());
  return {
    paymentsTotal: count('CONFIRMED') + count('REFUNDED'),
    paymentsRefunded: count('REFUNDED'),
    refundedAmount: Number(of('REFUNDED')?.amount ?? 0),
    holdsCancelled: count('CANCELLED'),
    left: count('HELD') + count('CONFIRMED'),
    lastChangeAt: changes.length > 0 ? new Date(Math.max(...changes)) : null,
  };
}

export interface FailedEnding {
  reservationId: string;
  error: string;
  attempts: number;
  failedAt: Date;
}

/** Those of a date that are still live after a failure, the last to fail first. */
export async function failuresOf(em: EntityManager, scheduleId: string, limit: number): Promise<FailedEnding[]> {
  const rows = await em.execute<(Omit<FailedEnding, 'failedAt'> & { failedAt: RawInstant })[]>(
    `select f.reservation_id as reservationId, f.error, f.attempts, f.failed_at as failedAt from cancellation_failure f join reservation r on r.id = f.reservation_id
     where r.schedule_id = ? and r.status in ${LIVE} order by f.failed_at desc limit ?`,
    [scheduleId, limit],
  );
  return rows.map((row) => ({ ...row, attempts: Number(row.attempts), failedAt: instantOf(row.failedAt) }));
}
