import type { PaymentStatus, ReservationStatus, SeatStatus } from '../../domain/states.js';
import { instantOf, type RawInstant } from '../clock.js';
import { AT_ONCE, BRIEFLY, type Asked } from '../together.js';

/**
 * What a transaction of many sales reads and locks, one statement for all of them, each in ascending order of its key. `wait` is false where a row that
 * somebody else has locked is left out of the answer instead of being waited for, briefly. Reads of the clock stand in the statements that lock: they tell when the last of
 * its rows was ours.
 */

const FOR_UPDATE = (wait: boolean): string => (wait ? 'for update' : 'for update skip locked');
const patience = (wait: boolean): string => (wait ? BRIEFLY : '');
const SHARED = 'lock in share mode';
/** The second half is MariaDB's alone: MySQL waits. */
const SHARED_OR_SKIPPED = 'lock in share mode /*M!100600 skip locked */';

/** A date and when its seats are sold. The subselects lock nothing. */
export interface DateRow {
  id: string;
  startsAt: Date;
  deletedAt: Date | null;
  cancelledAt: Date | null;
  opensAt: Date;
  closesAt: Date | null;
}

type Raw<Row, Instants extends keyof Row> = { [Column in keyof Row]: Column extends Instants ? RawInstant | Extract<Row[Column], null> : Row[Column] };
const orNull = (raw: RawInstant | null): Date | null => (raw === null ? null : instantOf(raw));

/** Dates, deleted or not, as they stay until the transaction ends: nobody moves, cancels or deletes them meanwhile. Shared, so sales do not wait for each other. */
export const shareDates = (ids: readonly string[], wait: boolean): Asked<Map<string, DateRow>> => ({
  sql: ids.length === 0 ? '' : `${patience(wait)}${DATES} ${wait ? SHARED : SHARED_OR_SKIPPED}`,
  params: [ids],
  read: (rows: Raw<DateRow, 'startsAt' | 'deletedAt' | 'cancelledAt' | 'opensAt' | 'closesAt'>[]) =>
    new Map(
      rows.map((row) => [
        row.id,
        { id: row.id, startsAt: instantOf(row.startsAt), deletedAt: orNull(row.deletedAt), cancelledAt: orNull(row.cancelledAt), opensAt: instantOf(row.opensAt), closesAt: orNull(row.closesAt) },
      ]),
    ),
});

const DATES = `select d.id, d.starts_at as startsAt, d.deleted_at as deletedAt, d.cancelled_at as cancelledAt,
    (select sale_opens_at from concert where id = d.concert_id) as opensAt, (select sale_closes_at from concert where id = d.concert_id) as closesAt
  from schedule d force index (primary) where d.id in (?) order by d.id`;

export interface WalletRow {
  userId: string;
  balance: number;
  version: number;
}

/** Rows that were locked, and the clock once the last of them was. */
export interface Locked<Row> {
  rows: Map<string, Row>;
  now: Date | null;
}

/** Wallets by user. */
export const lockWallets = (userIds: readonly string[], wait: boolean): Asked<Locked<WalletRow>> => ({
  sql:
    userIds.length === 0
      ? ''
      : `${patience(wait)}select user_id as userId, balance, version, sysdate(3) as now from wallet force index (primary) where user_id in (?) order by user_id ${FOR_UPDATE(wait)}`,
  params: [userIds],
  read: (rows: { userId: string; balance: number | string; version: number; now: RawInstant }[]) => ({
    rows: new Map(rows.map(({ userId, balance, version }) => [userId, { userId, balance: Number(balance), version }])),
    now: lastOf(rows),
  }),
});

/** Of a user, in a concert. */
export interface QuotaKey {
  userId: string;
  concertId: string;
}

/**
 * Makes the quota rows that are new. One statement: a plain insert would first take a shared lock, and two of those deadlock. Nothing can be left out of it, so where
 * it may not wait it fails.
 */
export function lockQuotas(quotas: readonly QuotaKey[], wait: boolean): Asked<void> {
  const ascending = quotas.toSorted((a, b) => (a.userId < b.userId || (a.userId === b.userId && a.concertId < b.concertId) ? -1 : 1));
  const rows = Array(quotas.length).fill('(?, ?)').join(', ');
  return {
    sql: quotas.length === 0 ? '' : `${wait ? BRIEFLY : AT_ONCE}insert into reservation_quota (user_id, concert_id) values ${rows} on duplicate key update user_id = user_id`,
    params: ascending.flatMap(({ userId, concertId }) => [userId, concertId]),
    read: () => undefined,
  };
}

/** Seats of one date. */
export interface SeatsOfDate {
  scheduleId: string;
  numbers: readonly number[];
}

export interface Condition {
  sql: string;
  params: unknown[];
}

/** One list for each key: the optimizer reads it in a fraction of the time that as many alternatives take. */
function listed(alternative: string, keyed: readonly (readonly [key: string, values: readonly unknown[]])[]): Condition {
  const lists = new Map<string, unknown[]>();
  for (const [key, values] of keyed) lists.set(key, [...(lists.get(key) ?? []), ...values]);
  return { sql: Array(lists.size).fill(alternative).join(' or '), params: [...lists].flat() };
}

/** Of `seat s`. */
export const ofSeats = (seats: readonly SeatsOfDate[]): Condition => listed('(s.schedule_id = ? and s.number in (?))', seats.map(({ scheduleId, numbers }) => [scheduleId, numbers]));
const ofBuyers = (quotas: readonly QuotaKey[]): Condition =>
  listed("(o.concert_id = ? and o.user_id in (?) and o.status in ('HELD', 'CONFIRMED'))", quotas.map(({ concertId, userId }) => [concertId, [userId]]));
/** Of a seat in a map of seats. */
export const seatKey = (scheduleId: string, number: number): string => `${scheduleId} ${number}`;

/** A seat as it was read without a lock. */
export interface SeenSeat {
  scheduleId: string;
  number: number;
  status: SeatStatus;
  reservationId: string | null;
  heldUntil: Date | null;
}

type SeenRow = Raw<SeenSeat, 'heldUntil'> & { now: RawInstant };

/** Seats by `seatKey`, without a lock: what is taken is refused, what is free is locked and looked at again. */
export function seeSeats(seats: readonly SeatsOfDate[]): Asked<Locked<SeenSeat>> {
  const wanted = ofSeats(seats);
  const sql = `select s.schedule_id as scheduleId, s.number, s.status, s.reservation_id as reservationId, s.held_until as heldUntil, sysdate(3) as now
    from seat s force index (primary) where ${wanted.sql}`;
  const read = (rows: SeenRow[]) => ({
    rows: new Map(rows.map(({ now: _now, ...row }) => [seatKey(row.scheduleId, row.number), { ...row, heldUntil: orNull(row.heldUntil) }])),
    now: lastOf(rows),
  });
  return { sql: seats.length === 0 ? '' : sql, params: wanted.params, read };
}

/** Ids of what each holds or owns of the concert, by `quotaKey`. Nobody else's reserve adds to it while the quota is locked. */
export function liveReservationsOf(quotas: readonly QuotaKey[]): Asked<Map<string, string[]>> {
  const own = ofBuyers(quotas);
  return {
    sql: quotas.length === 0 ? '' : `select o.id, o.user_id as userId, o.concert_id as concertId from reservation o force index (reservation_quota_index) where ${own.sql}`,
    params: own.params,
    read: (rows: (QuotaKey & { id: string })[]) => {
      const ids = Map.groupBy(rows, quotaKey);
      return new Map([...ids].map(([key, some]) => [key, some.map(({ id }) => id)]));
    },
  };
}

/** Whose reservations they are, by id. */
export const holdersOf = (reservationIds: readonly string[]): Asked<Map<string, string>> => ({
  sql: reservationIds.length === 0 ? '' : 'select id, user_id as userId from reservation where id in (?)',
  params: [reservationIds],
  read: (rows: { id: string; userId: string }[]) => new Map(rows.map(({ id, userId }) => [id, userId])),
});

export const quotaKey = ({ userId, concertId }: QuotaKey): string => `${userId} ${concertId}`;

export interface ReservationRow {
  id: string;
  userId: string;
  concertId: string;
  scheduleId: string;
  status: ReservationStatus;
  seatCount: number;
  totalPrice: number;
  expiresAt: Date;
  createdAt: Date;
  updatedAt: Date;
}

type RawReservation = Omit<Raw<ReservationRow, 'expiresAt' | 'createdAt' | 'updatedAt'>, 'totalPrice'> & { totalPrice: number | string; now: RawInstant };

/** Reservations by id. */
export const lockReservationRows = (ids: readonly string[], wait: boolean): Asked<Locked<ReservationRow>> => ({
  sql: ids.length === 0 ? '' : `${patience(wait)}${RESERVATIONS} where id in (?) order by id ${FOR_UPDATE(wait)}`,
  params: [ids],
  read: (rows: RawReservation[]) => ({
    rows: new Map(
      rows.map(({ now: _now, ...row }) => [
        row.id,
        { ...row, totalPrice: Number(row.totalPrice), expiresAt: instantOf(row.expiresAt), createdAt: instantOf(row.createdAt), updatedAt: instantOf(row.updatedAt) },
      ]),
    ),
    now: lastOf(rows),
  }),
});

const RESERVATIONS = `select id, user_id as userId, concert_id as concertId, schedule_id as scheduleId, status, seat_count as seatCount, total_price as totalPrice,
    expires_at as expiresAt, created_at as createdAt, updated_at as updatedAt, sysdate(3) as now
  from reservation force index (primary)`;

export interface LockedSeat {
  scheduleId: string;
  number: number;
  id: string;
  grade: string;
  price: number;
  status: SeatStatus;
  reservationId: string | null;
  heldUntil: Date | null;
  version: number;
}

type RawSeat = Omit<Raw<LockedSeat, 'heldUntil'>, 'price'> & { price: number | string; now: RawInstant };

/** Seats by `seatKey`. */
export function lockSeatRows(seats: readonly SeatsOfDate[], wait: boolean): Asked<Locked<LockedSeat>> {
  const wanted = ofSeats(seats);
  const sql = `${patience(wait)}select s.schedule_id as scheduleId, s.number, s.id, s.grade, s.price, s.status, s.reservation_id as reservationId, s.held_until as heldUntil, s.version,
      sysdate(3) as now
    from seat s force index (primary) where ${wanted.sql} order by s.schedule_id, s.number ${FOR_UPDATE(wait)}`;
  const read = (rows: RawSeat[]) => ({
    rows: new Map(rows.map(({ now: _now, ...row }) => [seatKey(row.scheduleId, row.number), { ...row, price: Number(row.price), heldUntil: orNull(row.heldUntil) }])),
    now: lastOf(rows),
  });
  return { sql: seats.length === 0 ? '' : sql, params: wanted.params, read };
}

/** The clock of a statement's rows: each was read when its own row was locked. */
function lastOf(rows: readonly { now: RawInstant }[]): Date | null {
  const last = rows.at(-1);
  return last ? instantOf(last.now) : null;
}

/** A charge that was made before. */
export interface ChargeRow {
  id: string;
  userId: string;
  idempotencyKey: string;
  amount: number;
  balance: number;
  chargedAt: Date;
}

type RawCharge = Omit<Raw<ChargeRow, 'chargedAt'>, 'amount' | 'balance'> & { amount: number | string; balance: number | string };

export const chargesByKey = (keys: readonly { userId: string; idempotencyKey: string }[]): Asked<ChargeRow[]> => ({
  sql:
    keys.length === 0
      ? ''
      : `select id, user_id as userId, idempotency_key as idempotencyKey, amount, balance, charged_at as chargedAt from charge
         where ${Array(keys.length).fill('(user_id = ? and idempotency_key = ?)').join(' or ')}`,
  params: keys.flatMap(({ userId, idempotencyKey }) => [userId, idempotencyKey]),
  read: (rows: RawCharge[]) => rows.map((row) => ({ ...row, amount: Number(row.amount), balance: Number(row.balance), chargedAt: instantOf(row.chargedAt) })),
});

export interface PaymentRow {
  id: string;
  reservationId: string;
  userId: string;
  status: PaymentStatus;
  amount: number;
  balance: number;
  paidAt: Date;
  refundedAt: Date | null;
}

type RawPayment = Omit<Raw<PaymentRow, 'paidAt' | 'refundedAt'>, 'amount' | 'balance'> & { amount: number | string; balance: number | string };

/** By reservation. */
export const paymentsOf = (reservationIds: readonly string[]): Asked<Map<string, PaymentRow>> => ({
  sql:
    reservationIds.length === 0
      ? ''
      : `select id, reservation_id as reservationId, user_id as userId, status, amount, balance, paid_at as paidAt, refunded_at as refundedAt
         from payment where reservation_id in (?)`,
  params: [reservationIds],
  read: (rows: RawPayment[]) =>
    new Map(rows.map((row) => [row.reservationId, { ...row, amount: Number(row.amount), balance: Number(row.balance), paidAt: instantOf(row.paidAt), refundedAt: orNull(row.refundedAt) }])),
});
