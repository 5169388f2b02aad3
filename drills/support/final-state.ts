import type { App } from '../../src/app.js';
import { inSnapshot } from '../../src/database/check-invariants.js';
import type { PaymentStatus, LedgerKind, ReservationStatus, SeatStatus } from '../../src/domain/states.js';

/** Everything a sale has left in the database, in one snapshot; times are milliseconds of the database's clock. */
export interface FinalState {
  readAt: number;
  seats: FinalSeat[];
  reservations: FinalReservation[];
  payments: FinalPayment[];
  charges: FinalCharge[];
  /** In the order of their ids. */
  ledger: FinalLedgerEntry[];
  balances: Map<string, number>;
}

export interface FinalSeat {
  scheduleId: string;
  number: number;
  price: number;
  status: SeatStatus;
  reservationId: string | null;
}

export interface FinalReservation {
  id: string;
  userId: string;
  concertId: string;
  scheduleId: string;
  status: ReservationStatus;
  seatNumbers: number[];
  totalPrice: number;
  createdAt: number;
  expiresAt: number;
  updatedAt: number;
}

export interface FinalPayment {
  id: string;
  reservationId: string;
  userId: string;
  status: PaymentStatus;
  amount: number;
  balance: number;
  paidAt: number;
  refundedAt: number | null;
}

export interface FinalCharge {
  id: string;
  userId: string;
  key: string;
  amount: number;
  balance: number;
  chargedAt: number;
}

export interface FinalLedgerEntry {
  userId: string;
  kind: LedgerKind;
  amount: number;
  balanceAfter: number;
  sourceId: string;
}

type Row = Record<string, unknown>;

/** Sessions speak UTC, so this is the epoch's time whatever the zone of the server. */
const ms = (column: string): string => `timestampdiff(microsecond, '1970-01-01', ${column}) div 1000`;

export function readFinalState(app: App): Promise<FinalState> {
  return inSnapshot(app.orm, async (query) => {
    const seats = await query('select schedule_id, number, price, status, reservation_id from seat order by schedule_id, number');
    const captured = await query('select reservation_id, number from reservation_seat order by reservation_id, number');
    const reservations = await query(
      `select id, user_id, concert_id, schedule_id, status, total_price, ${ms('created_at')} as created, ${ms('expires_at')} as expires, ${ms('updated_at')} as updated from reservation`,
    );
    const payments = await query(
      `select id, reservation_id, user_id, status, amount, balance, ${ms('paid_at')} as paid, ${ms('refunded_at')} as refunded from payment`,
    );
    const charges = await query(`select id, user_id, idempotency_key, amount, balance, ${ms('charged_at')} as charged from charge`);
    const ledger = await query('select user_id, kind, amount, balance_after, source_id from ledger_entry order by id');
    const wallets = await query('select user_id, balance from wallet');
    const [clock] = await query(`select ${ms('sysdate(3)')} as now`);
    const numbers = Map.groupBy(captured, (row) => text(row['reservation_id']));
    return {
      readAt: Number(clock!['now']),
      seats: seats.map(seatOf),
      reservations: reservations.map((row) => reservationOf(row, numbers.get(text(row['id'])) ?? [])),
      payments: payments.map(paymentOf),
      charges: charges.map(chargeOf),
      ledger: ledger.map(entryOf),
      balances: new Map(wallets.map((row) => [text(row['user_id']), Number(row['balance'])])),
    };
  });
}

const text = (value: unknown): string => String(value);
const textOrNull = (value: unknown): string | null => (value === null ? null : String(value));

const seatOf = (row: Row): FinalSeat => ({
  scheduleId: text(row['schedule_id']), number: Number(row['number']), price: Number(row['price']), status: row['status'] as SeatStatus, reservationId: textOrNull(row['reservation_id']),
});

const reservationOf = (row: Row, seats: Row[]): FinalReservation => ({
  id: text(row['id']), userId: text(row['user_id']), concertId: text(row['concert_id']), scheduleId: text(row['schedule_id']), status: row['status'] as ReservationStatus,
  seatNumbers: seats.map((seat) => Number(seat['number'])), totalPrice: Number(row['total_price']),
  createdAt: Number(row['created']), expiresAt: Number(row['expires']), updatedAt: Number(row['updated']),
});

const paymentOf = (row: Row): FinalPayment => ({
  id: text(row['id']), reservationId: text(row['reservation_id']), userId: text(row['user_id']), status: row['status'] as PaymentStatus,
  amount: Number(row['amount']), balance: Number(row['balance']), paidAt: Number(row['paid']), refundedAt: row['refunded'] === null ? null : Number(row['refunded']),
});

/** The stored key has a last character of its own. */
const chargeOf = (row: Row): FinalCharge => ({
  id: text(row['id']), userId: text(row['user_id']), key: text(row['idempotency_key']).slice(0, -1), amount: Number(row['amount']), balance: Number(row['balance']), chargedAt: Number(row['charged']),
});

const entryOf = (row: Row): FinalLedgerEntry => ({
  userId: text(row['user_id']), kind: row['kind'] as LedgerKind, amount: Number(row['amount']), balanceAfter: Number(row['balance_after']), sourceId: text(row['source_id']),
});
