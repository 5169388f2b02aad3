import type { LedgerKind } from '../../domain/states.js';
import { rowsExpected, type Asked } from '../together.js';
import { ofSeats, type ChargeRow, type PaymentRow, type ReservationRow, type SeatsOfDate, type WalletRow } from './sale.repository.js';

/** What a transaction of many sales writes, one statement for all of them; the rows were locked and judged by then. */

const insert = (into: string, rows: readonly (readonly unknown[])[]): Asked<void> => ({
  sql: rows.length === 0 ? '' : `insert into ${into} values ${Array(rows.length).fill(`(${Array(rows[0]!.length).fill('?').join(', ')})`).join(', ')}`,
  params: rows.flat(),
  read: () => undefined,
});

/** So many rows must be as they had been read, or nothing is committed. */
const update = (sql: string, params: readonly unknown[], expected: number): Asked<void>[] => [{ sql, params, read: () => undefined }, rowsExpected(expected)];

/** A seat as it is captured by a reservation. */
export interface CapturedSeat {
  reservationId: string;
  number: number;
  seatId: string;
  grade: string;
  price: number;
}

/**
 * The unique key of live seats is what makes a second live reservation impossible; everything before it only makes the refusal kinder. Its check of a seat that was given back locks
 * the entries around it, so two batches may wait for each other there: in the order of the key they seldom do in a circle.
 */
export function insertHolds(holds: readonly ReservationRow[], seats: readonly CapturedSeat[]): Asked<void>[] {
  if (holds.length === 0) return [];
  return [
    insert(
      'reservation (id, user_id, concert_id, schedule_id, status, seat_count, total_price, expires_at, created_at, updated_at)',
      holds.map((hold) => [hold.id, hold.userId, hold.concertId, hold.scheduleId, hold.status, hold.seatCount, hold.totalPrice, hold.expiresAt, hold.createdAt, hold.updatedAt]),
    ),
    insert(
      'reservation_seat (reservation_id, number, seat_id, live_seat_id, grade, price)',
      seats.toSorted((a, b) => (a.seatId < b.seatId ? -1 : 1)).map((seat) => [seat.reservationId, seat.number, seat.seatId, seat.seatId, seat.grade, seat.price]),
    ),
    ...holdSeats(holds, seats),
  ];
}

/** A statement for those that end together, as all do that begin together: seats of twenty dates cost half as much in one statement as in twenty. */
function holdSeats(holds: readonly ReservationRow[], seats: readonly CapturedSeat[]): Asked<void>[] {
  const of = new Map(holds.map((hold) => [hold.id, hold]));
  const ends = Map.groupBy(seats, ({ reservationId }) => of.get(reservationId)!.expiresAt.getTime());
  return [...ends].flatMap(([end, some]) => {
    const dates = [...Map.groupBy(some, ({ reservationId }) => of.get(reservationId)!.scheduleId)];
    const wanted = ofSeats(dates.map(([scheduleId, ofDate]) => ({ scheduleId, numbers: ofDate.map(({ number }) => number) })));
    const holder = dates.map(([, ofDate]) => `when ? then case s.number ${Array(ofDate.length).fill('when ? then ?').join(' ')} end`).join(' ');
    return update(
      `update seat s force index (primary)
       set s.status = 'HELD', s.reservation_id = case s.schedule_id ${holder} end, s.held_until = ?, s.version = s.version + 1
       where (${wanted.sql}) and s.status = 'AVAILABLE'`,
      [...dates.flatMap(([scheduleId, ofDate]) => [scheduleId, ...ofDate.flatMap(({ number, reservationId }) => [number, reservationId])]), new Date(end), ...wanted.params],
      some.length,
    );
  });
}

/** Reservations that are paid, and their seats. */
export function confirmHolds(holds: readonly (SeatsOfDate & { id: string })[], at: Date): Asked<void>[] {
  const ids = holds.map(({ id }) => id);
  const seats = ofSeats(holds);
  return [
    ...update("update reservation force index (primary) set status = 'CONFIRMED', updated_at = ? where id in (?)", [at, ids], ids.length),
    ...update(
      `update seat s force index (primary) set s.status = 'SOLD', s.held_until = null, s.version = s.version + 1
       where (${seats.sql}) and s.status = 'HELD' and s.reservation_id in (?)`,
      [...seats.params, ids],
      holds.reduce((sum, { numbers }) => sum + numbers.length, 0),
    ),
  ];
}

export const insertPayments = (payments: readonly PaymentRow[]): Asked<void> =>
  insert(
    'payment (id, reservation_id, user_id, status, amount, balance, paid_at)',
    payments.map(({ id, reservationId, userId, status, amount, balance, paidAt }) => [id, reservationId, userId, status, amount, balance, paidAt]),
  );

export const insertCharges = (charges: readonly ChargeRow[]): Asked<void> =>
  insert(
    'charge (id, user_id, idempotency_key, amount, balance, charged_at)',
    charges.map(({ id, userId, idempotencyKey, amount, balance, chargedAt }) => [id, userId, idempotencyKey, amount, balance, chargedAt]),
  );

/** A balance that moves; `amount` is signed, `sourceId` is the charge or payment. */
export interface MoneyMove {
  wallet: WalletRow;
  kind: LedgerKind;
  amount: number;
  sourceId: string;
}

/**
 * A balance never moves without its ledger row. The version that was read is compared and raised, as the entity's own flush does: a balance that is stale, whoever
 * of the two wrote it, cannot be written.
 */
export function moveBalances(moves: readonly MoneyMove[], at: Date): Asked<void>[] {
  if (moves.length === 0) return [];
  return [
    ...update(
      `update wallet force index (primary) set balance = case user_id ${Array(moves.length).fill('when ? then ?').join(' ')} end, version = version + 1
       where ${Array(moves.length).fill('(user_id = ? and version = ?)').join(' or ')}`,
      [...moves.flatMap(({ wallet, amount }) => [wallet.userId, wallet.balance + amount]), ...moves.flatMap(({ wallet }) => [wallet.userId, wallet.version])],
      moves.length,
    ),
    insert(
      'ledger_entry (user_id, kind, amount, balance_after, source_id, created_at)',
      moves.map(({ wallet, kind, amount, sourceId }) => [wallet.userId, kind, amount, wallet.balance + amount, sourceId, at]),
    ),
  ];
}
