import { LockMode, type EntityManager } from '@mikro-orm/mysql';
import { databaseNow } from '../clock.js';
import { Reservation } from '../entities/reservation.entity.js';
import { Seat } from '../entities/seat.entity.js';
import { isOver } from '../../domain/hold.js';
import type { EventType } from '../../domain/event.js';
import type { SeatChange } from '../../domain/seat-change.js';
import type { ReservationStatus } from '../../domain/states.js';
import { tell } from './outbox.repository.js';
import type { CapturedSeat } from './sale-writes.repository.js';

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

export const lockReservations = (em: EntityManager, ids: readonly string[], lockMode: LockMode.PESSIMISTIC_WRITE | LockMode.PESSIMISTIC_PARTIAL_WRITE = LockMode.PESSIMISTIC_WRITE): Promise<Reservation[]> =>
  em.find(Reservation, { id: { $in: [...ids] } }, { lockMode, orderBy: { id: 'asc' } });

export const seatsOf = (em: EntityManager, scheduleId: string, numbers: readonly number[]): Promise<Seat[]> =>
  em.find(Seat, { scheduleId, number: { $in: [...numbers] } }, { orderBy: { number: 'asc' } });

/** Holds whose end has come but is not written yet, the longest over first; NOW() and not SYSDATE(), which no index can serve: each is judged again under its lock. */
export async function overdueHolds(em: EntityManager, limit: number): Promise<string[]> {
  const rows = await em.execute<{ id: string }[]>(
    "select id from reservation where status = 'HELD' and expires_at <= now(3) order by expires_at limit ?",
    [limit],
  );
  return rows.map(({ id }) => id);
}

/** Numbers of reservations' seats, ascending. */
async function numbersOf(em: EntityManager, reservationIds: readonly string[]): Promise<Map<string, number[]>> {
  const seats = await em.execute<{ reservationId: string; number: number }[]>(
    'select reservation_id as reservationId, number from reservation_seat where reservation_id in (?) order by reservation_id, number',
    [reservationIds],
  );
  const numbers = new Map<string, number[]>(reservationIds.map((id) => [id, []]));
  for (const { reservationId, number } of seats) numbers.get(reservationId)!.push(number);
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
  /** What became of those that there still are. */
  seats: SeatChange[];
}

type Ending = Pick<Reservation, 'id' | 'userId' | 'concertId' | 'scheduleId'>;

/** A reservation that is over already, as whoever ended it told of it. */
export async function endedBefore(em: EntityManager, { id, userId, concertId, scheduleId, status }: Reservation): Promise<EndedReservation> {
  return { id, userId, concertId, scheduleId, status, numbers: (await numbersOf(em, [id])).get(id)!, seats: [] };
}

/** A refund is told of with its payment, by whoever makes it. */
const EVENT_OF: { [Status in ReservationStatus]?: EventType } = { EXPIRED: 'RESERVATION_EXPIRED', CANCELLED: 'RESERVATION_CANCELLED' };

/**
 * Ends live reservations wholly: their seats can be reserved again. The rows must be locked, so that they are still what the caller judged. `patience` is how their seats
 * are waited for.
 */
export async function endReservations(em: EntityManager, reservations: readonly Ending[], status: ReservationStatus, now: Date, patience = ''): Promise<EndedReservation[]> {
  const ids = reservations.map(({ id }) => id);
  if (ids.length === 0) return [];
  const numbers = await numbersOf(em, ids);
  await em.execute('update reservation force index (primary) set status = ?, updated_at = ? where id in (?)', [status, now, ids], 'run');
  await em.execute('update reservation_seat force index (primary) set live_seat_id = null where reservation_id in (?)', [ids], 'run');
  const freed = await freeSeats(em, reservations.map(({ id, scheduleId }) => ({ id, scheduleId, numbers: numbers.get(id)! })), patience);
  const ended = reservations.map(({ id, userId, concertId, scheduleId }) => ({ id, userId, concertId, scheduleId, status, numbers: numbers.get(id)!, seats: freed.get(id) ?? [] }));
  const type = EVENT_OF[status];
  if (type) {
    await tell(em, ended.map(({ id, userId, concertId, scheduleId, numbers: seatNumbers }) => ({ type, occurredAt: now, userId, concertId, reservationId: id, payload: { scheduleId, seatNumbers } })));
  }
  return ended;
}

interface SeatsOfReservation {
  id: string;
  scheduleId: string;
  numbers: readonly number[];
}

/** By number, as reserve locks them, and only where they are still of that reservation. */
function lockedSeatsOf(em: EntityManager, some: readonly SeatsOfReservation[], patience: string, skipped = ''): Promise<{ reservationId: string; number: number; version: number }[]> {
  const { own, params } = ownSeats(some);
  return em.execute(`${patience}select reservation_id as reservationId, number, version from seat force index (primary) where ${own} order by schedule_id, number for update ${skipped}`, params);
}

const ownSeats = (some: readonly SeatsOfReservation[]) => ({
  own: Array(some.length).fill('(schedule_id = ? and number in (?) and reservation_id = ?)').join(' or '),
  params: some.flatMap(({ id, scheduleId, numbers }) => [scheduleId, numbers, id]),
});

/** Of holds that are to end those all of whose seats could be locked at once. */
export async function holdsWithFreeSeats(em: EntityManager, holds: readonly { id: string; scheduleId: string; seatCount: number }[]): Promise<Set<string>> {
  if (holds.length === 0) return new Set();
  const numbers = await numbersOf(em, holds.map(({ id }) => id));
  const some = holds.map(({ id, scheduleId }) => ({ id, scheduleId, numbers: numbers.get(id)! })).filter((hold) => hold.numbers.length > 0);
  const locked = Map.groupBy(some.length > 0 ? await lockedSeatsOf(em, some, '', 'skip locked') : [], ({ reservationId }) => reservationId);
  return new Set(holds.filter(({ id, seatCount }) => locked.get(id)?.length === seatCount).map(({ id }) => id));
}

async function freeSeats(em: EntityManager, ofReservations: readonly SeatsOfReservation[], patience: string): Promise<Map<string, SeatChange[]>> {
  const some = ofReservations.filter(({ numbers }) => numbers.length > 0);
  const freed = new Map<string, SeatChange[]>();
  if (some.length === 0) return freed;
  const { own, params } = ownSeats(some);
  const seats = await lockedSeatsOf(em, some, patience);
  await em.execute(`update seat force index (primary) set status = 'AVAILABLE', reservation_id = null, held_until = null, version = version + 1 where ${own}`, params, 'run');
  for (const { reservationId, number, version } of seats) {
    const change: SeatChange = { number, status: 'AVAILABLE', version: version + 1, heldUntil: null };
    freed.set(reservationId, [...(freed.get(reservationId) ?? []), change]);
  }
  return freed;
}

/** What a payment asks of a reservation before its transaction: who owns it and what it captured, none of which ever changes. */
export interface CapturedReservation {
  id: string;
  userId: string;
  concertId: string;
  scheduleId: string;
  seats: CapturedSeat[];
}

export async function capturedReservations(em: EntityManager, ids: readonly string[]): Promise<Map<string, CapturedReservation>> {
  const rows = await em.execute<(Omit<CapturedReservation, 'seats'> & Omit<CapturedSeat, 'reservationId' | 'price'> & { price: number | string })[]>(
    `select r.id, r.user_id as userId, r.concert_id as concertId, r.schedule_id as scheduleId, rs.number, rs.seat_id as seatId, rs.grade, rs.price
     from reservation r join reservation_seat rs on rs.reservation_id = r.id where r.id in (?) order by r.id, rs.number`,
    [ids],
  );
  const found = new Map<string, CapturedReservation>();
  for (const { id, userId, concertId, scheduleId, number, seatId, grade, price } of rows) {
    const seat = { reservationId: id, number, seatId, grade, price: Number(price) };
    const reservation = found.get(id);
    if (reservation) reservation.seats.push(seat);
    else found.set(id, { id, userId, concertId, scheduleId, seats: [seat] });
  }
  return found;
}
