import { OptimisticLockError, type EntityManager, type QueryResult } from '@mikro-orm/mysql';
import type { LedgerKind } from '../../domain/states.js';
import { RowsChanged } from '../transaction.js';
import type { ChargeRow, PaymentRow, ReservationRow, WalletRow } from './sale.repository.js';

/** What a transaction of many sales writes, one statement for all of them; the rows were locked and judged by then. */

const rowsOf = (count: number, columns: number): string => Array(count).fill(`(${Array(columns).fill('?').join(', ')})`).join(', ');

async function insert(em: EntityManager, into: string, rows: readonly (readonly unknown[])[]): Promise<void> {
  if (rows.length > 0) await em.execute(`insert into ${into} values ${rowsOf(rows.length, rows[0]!.length)}`, rows.flat(), 'run');
}

async function expectRows(work: Promise<QueryResult>, expected: number, what: string): Promise<void> {
  const { affectedRows } = await work;
  if (affectedRows !== expected) throw new RowsChanged(`${affectedRows} of ${expected} ${what} were as they had been read.`);
}

/** A seat as it is captured by a reservation. */
export interface CapturedSeat {
  reservationId: string;
  number: number;
  seatId: string;
  grade: string;
  price: number;
}

/** The unique key of live seats is what makes a second live reservation impossible; everything before it only makes the refusal kinder. */
export async function insertHolds(em: EntityManager, holds: readonly ReservationRow[], seats: readonly CapturedSeat[]): Promise<void> {
  if (holds.length === 0) return;
  await insert(
    em,
    'reservation (id, user_id, concert_id, schedule_id, status, seat_count, total_price, expires_at, created_at, updated_at)',
    holds.map((hold) => [hold.id, hold.userId, hold.concertId, hold.scheduleId, hold.status, hold.seatCount, hold.totalPrice, hold.expiresAt, hold.createdAt, hold.updatedAt]),
  );
  await insert(
    em,
    'reservation_seat (reservation_id, number, seat_id, live_seat_id, grade, price)',
    seats.map((seat) => [seat.reservationId, seat.number, seat.seatId, seat.seatId, seat.grade, seat.price]),
  );
  const held = em.execute<QueryResult>(
    `update reservation r straight_join reservation_seat rs on rs.reservation_id = r.id straight_join seat s on s.schedule_id = r.schedule_id and s.number = rs.number
     set s.status = 'HELD', s.reservation_id = r.id, s.held_until = r.expires_at, s.version = s.version + 1
     where r.id in (?) and s.status = 'AVAILABLE'`,
    [holds.map(({ id }) => id)],
    'run',
  );
  await expectRows(held, seats.length, 'seats to hold');
}

/** Reservations that are paid, and their seats. */
export async function confirmHolds(em: EntityManager, ids: readonly string[], seatCount: number, at: Date): Promise<void> {
  await expectRows(em.execute<QueryResult>("update reservation force index (primary) set status = 'CONFIRMED', updated_at = ? where id in (?)", [at, ids], 'run'), ids.length, 'reservations to pay');
  const sold = em.execute<QueryResult>(
    `update reservation r straight_join reservation_seat rs on rs.reservation_id = r.id straight_join seat s on s.schedule_id = r.schedule_id and s.number = rs.number
     set s.status = 'SOLD', s.held_until = null, s.version = s.version + 1
     where r.id in (?) and s.reservation_id = r.id and s.status = 'HELD'`,
    [ids],
    'run',
  );
  await expectRows(sold, seatCount, 'seats to sell');
}

export const insertPayments = (em: EntityManager, payments: readonly PaymentRow[]): Promise<void> =>
  insert(
    em,
    'payment (id, reservation_id, user_id, status, amount, balance, paid_at)',
    payments.map(({ id, reservationId, userId, status, amount, balance, paidAt }) => [id, reservationId, userId, status, amount, balance, paidAt]),
  );

export const insertCharges = (em: EntityManager, charges: readonly ChargeRow[]): Promise<void> =>
  insert(
    em,
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
export async function moveBalances(em: EntityManager, moves: readonly MoneyMove[], at: Date): Promise<void> {
  if (moves.length === 0) return;
  const { affectedRows } = await em.execute<QueryResult>(
    `update wallet force index (primary) set balance = case user_id ${Array(moves.length).fill('when ? then ?').join(' ')} end, version = version + 1
     where ${Array(moves.length).fill('(user_id = ? and version = ?)').join(' or ')}`,
    [...moves.flatMap(({ wallet, amount }) => [wallet.userId, wallet.balance + amount]), ...moves.flatMap(({ wallet }) => [wallet.userId, wallet.version])],
    'run',
  );
  if (affectedRows !== moves.length) throw OptimisticLockError.lockFailed('Wallet');
  await insert(
    em,
    'ledger_entry (user_id, kind, amount, balance_after, source_id, created_at)',
    moves.map(({ wallet, kind, amount, sourceId }) => [wallet.userId, kind, amount, wallet.balance + amount, sourceId, at]),
  );
}
