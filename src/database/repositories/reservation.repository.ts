import { LockMode, type EntityManager } from '@mikro-orm/mysql';
import { databaseNow, instantOf, type RawInstant } from '../clock.js';
import { Reservation } from '../entities/reservation.entity.js';
import { ReservationSeat } from '../entities/reservation-seat.entity.js';
import type { Schedule } from '../entities/schedule.entity.js';
import { Seat } from '../entities/seat.entity.js';
import { isOver, type SaleWindow } from '../../domain/hold.js';
import type { EventType } from '../../domain/event.js';
import type { ReservationStatus } from '../../domain/states.js';
import { tell } from './outbox.repository.js';

/** Reservations as they are at this moment: a hold whose end has come reads EXPIRED, whatever its row still says. */
export async function reservationsByIds(em: EntityManager, ids: string[]): Promise<Reservation[]> {
  const reservations = await em.find(Reservation, { id: { $in: ids } });
  return asOf(reservations, await databaseNow(em));
}

export function asOf(reservations: Reservation[], now: Date): Reservation[] {
  for (const reservation of reservations) {
    if (isOver(reservation, now)) reservation.status = 'EXPIRED';
  }
  return reservations;
}

/** One's own reservations, newest first, from after the cursor's. */
export async function reservationsOfUser(em: EntityManager, userId: string, afterId: string | null, limit: number): Promise<Reservation[]> {
  const where = { userId, ...(afterId ? { id: { $lt: afterId } } : {}) };
  const reservations = await em.find(Reservation, where, { orderBy: { id: 'desc' }, limit });
  return asOf(reservations, await databaseNow(em));
}

/** Concert and highest seat number of a date that is not deleted. */
export async function dateOf(em: EntityManager, scheduleId: string): Promise<{ concertId: string; capacity: number } | null> {
  const [row] = await em.execute<{ concertId: string; capacity: number | null }[]>(
    `select d.concert_id as concertId, (select max(number) from seat where schedule_id = d.id) as capacity
     from schedule d where d.id = ? and d.deleted_at is null`,
    [scheduleId],
  );
  return row ? { concertId: row.concertId, capacity: row.capacity ?? 0 } : null;
}

/** When seats of a date are sold, and the clock that decides. */
export async function saleWindowOf(em: EntityManager, { concertId, startsAt }: Pick<Schedule, 'concertId' | 'startsAt'>): Promise<SaleWindow> {
  const [row] = await em.execute<{ now: RawInstant; opensAt: RawInstant; closesAt: RawInstant | null }[]>(
    'select sysdate(3) as now, sale_opens_at as opensAt, sale_closes_at as closesAt from concert where id = ?',
    [concertId],
  );
  const { now, opensAt, closesAt } = row!;
  return { now: instantOf(now), opensAt: instantOf(opensAt), closesAt: closesAt === null ? null : instantOf(closesAt), startsAt };
}

/**
 * Locks the user's quota row of the concert, made if it is new. One statement: a plain insert would first take a shared lock, and two of
 * those deadlock.
 */
export async function lockQuota(em: EntityManager, userId: string, concertId: string): Promise<void> {
  await em.execute('insert into reservation_quota (user_id, concert_id) values (?, ?) on duplicate key update user_id = user_id', [userId, concertId]);
}

/** What a user holds or owns of a concert, locked, so that none of it is paid or given back while the seats are counted. */
export const lockReservationsOfQuota = (em: EntityManager, userId: string, concertId: string): Promise<Reservation[]> =>
  em.find(Reservation, { userId, concertId, status: { $in: ['HELD', 'CONFIRMED'] } }, { lockMode: LockMode.PESSIMISTIC_WRITE, orderBy: { id: 'asc' } });

export const lockReservations = (em: EntityManager, ids: readonly string[], lockMode: LockMode.PESSIMISTIC_WRITE | LockMode.PESSIMISTIC_PARTIAL_WRITE = LockMode.PESSIMISTIC_WRITE): Promise<Reservation[]> =>
  em.find(Reservation, { id: { $in: [...ids] } }, { lockMode, orderBy: { id: 'asc' } });

export const seatsOf = (em: EntityManager, scheduleId: string, numbers: readonly number[]): Promise<Seat[]> =>
  em.find(Seat, { scheduleId, number: { $in: [...numbers] } }, { orderBy: { number: 'asc' } });

export const lockSeats = (em: EntityManager, scheduleId: string, numbers: readonly number[]): Promise<Seat[]> =>
  em.find(Seat, { scheduleId, number: { $in: [...numbers] } }, { lockMode: LockMode.PESSIMISTIC_WRITE, orderBy: { number: 'asc' } });

/** Holds whose end has come but is not written yet, the longest over first; NOW() and not SYSDATE(), which no index can serve: each is judged again under its lock. */
export async function overdueHolds(em: EntityManager, limit: number): Promise<string[]> {
  const rows = await em.execute<{ id: string }[]>(
    "select id from reservation where status = 'HELD' and expires_at <= now(3) order by expires_at limit ?",
    [limit],
  );
  return rows.map(({ id }) => id);
}

/** Numbers of a reservation's seats, ascending. */
export async function numbersOf(em: EntityManager, reservationIds: readonly string[]): Promise<Map<string, number[]>> {
  const seats = await em.find(ReservationSeat, { reservationId: { $in: [...reservationIds] } }, { orderBy: { number: 'asc' } });
  const numbers = new Map<string, number[]>();
  for (const { reservationId, number } of seats) numbers.set(reservationId, [...(numbers.get(reservationId) ?? []), number]);
  return numbers;
}

/** A live reservation that ended: whose, and which seats it gave back. */
export interface EndedReservation {
  id: string;
  userId: string;
  concertId: string;
  scheduleId: string;
  status: ReservationStatus;
  numbers: number[];
}

/** A reservation that is over already, as whoever ended it told of it. */
export async function endedBefore(em: EntityManager, { id, userId, concertId, scheduleId, status }: Reservation): Promise<EndedReservation> {
  return { id, userId, concertId, scheduleId, status, numbers: (await numbersOf(em, [id])).get(id) ?? [] };
}

/** A refund is told of with its payment, by whoever makes it. */
const EVENT_OF: { [Status in ReservationStatus]?: EventType } = { EXPIRED: 'RESERVATION_EXPIRED', CANCELLED: 'RESERVATION_CANCELLED' };

/** Ends live reservations wholly: their seats can be reserved again. The rows must be locked, so that they are still what the caller judged. */
export async function endReservations(em: EntityManager, reservations: readonly Reservation[], status: ReservationStatus, now: Date): Promise<EndedReservation[]> {
  const ids = reservations.map(({ id }) => id);
  if (ids.length === 0) return [];
  const numbers = await numbersOf(em, ids);
  await em.nativeUpdate(Reservation, { id: { $in: ids } }, { status, updatedAt: now });
  await em.nativeUpdate(ReservationSeat, { reservationId: { $in: ids } }, { liveSeatId: null });
  const ended = reservations.map(({ id, userId, concertId, scheduleId }) => ({ id, userId, concertId, scheduleId, status, numbers: numbers.get(id) ?? [] }));
  for (const { id, scheduleId, numbers: freed } of ended) {
    await em.nativeUpdate(Seat, { scheduleId, number: { $in: freed }, reservationId: id }, { status: 'AVAILABLE', reservationId: null, heldUntil: null });
  }
  const type = EVENT_OF[status];
  if (type) {
    await tell(em, ended.map(({ id, userId, concertId, scheduleId, numbers: seatNumbers }) => ({ type, occurredAt: now, userId, concertId, reservationId: id, payload: { scheduleId, seatNumbers } })));
  }
  return ended;
}
