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
