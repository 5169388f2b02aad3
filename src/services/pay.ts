import type { BriefTransaction } from '../database/brief-transaction.js';
import { endingPasses } from '../database/repositories/queue.repository.js';
import { paymentsOf, seatKey, type DateRow, type LockedSeat, type PaymentRow, type ReservationRow, type WalletRow } from '../database/repositories/sale.repository.js';
import { confirmHolds, insertPayments, type MoneyMove } from '../database/repositories/sale-writes.repository.js';
import { AT_ONCE, BRIEFLY, type Asked } from '../database/together.js';
import { RowsChanged } from '../database/transaction.js';
import { notFound } from '../domain/errors.js';
import type { Happening } from '../domain/event.js';
import { quickId } from '../domain/ids.js';
import { assertPayable } from '../domain/payment.js';
import type { QueuePlace } from '../domain/queue.js';
import type { SeatChange } from '../domain/seat-change.js';
import { Member, open, present } from './sale-member.js';
import { ofPayment } from './refund.js';

/** The part of payments in a transaction of many sales: money, seats, reservation and queue pass change together, or nothing of that payment has happened. */

/** What never changes of a reservation that is to be paid. */
export interface PayOrder {
  reservationId: string;
  userId: string;
  scheduleId: string;
  numbers: readonly number[];
  place: QueuePlace;
}

export interface Paid {
  payment: PaymentRow;
  reservation: ReservationRow;
  /** What became of its seats; null when it was paid before. */
  changes: SeatChange[] | null;
}

export class PayMember extends Member<PayOrder, Paid> {
  wallet!: WalletRow;
  reservation!: ReservationRow;
  /** Paid before: the answer is that payment. */
  repeated = false;

  /** Whether this payment or the end of the hold was first is decided here, once: the rows are locked. */
  judgeHold(rows: { wallets: ReadonlyMap<string, WalletRow>; dates: ReadonlyMap<string, DateRow>; reservations: ReadonlyMap<string, ReservationRow> }, now: Date | null, wait: boolean): void {
    this.judge(() => {
      const { reservationId, userId, scheduleId } = this.request;
      this.wallet = present(rows.wallets.get(userId), wait, () => new Error(`User ${userId} has no wallet.`));
      const date = present(rows.dates.get(scheduleId), wait, () => notFound('date'));
      this.reservation = present(rows.reservations.get(reservationId), wait, () => notFound('reservation'));
      this.repeated = this.reservation.status === 'CONFIRMED';
      if (!this.repeated) assertPayable(this.reservation, date, this.wallet.balance, now!);
    });
  }

  pay(locked: ReadonlyMap<string, LockedSeat>, now: Date | null, wait: boolean): void {
    if (this.repeated) return;
    this.judge(() => {
      const { reservationId, userId, scheduleId, numbers } = this.request;
      const { id, seatCount, totalPrice: amount } = this.reservation;
      const changed = (): Error => new RowsChanged(`Reservation ${id} is live but does not hold its ${seatCount} seats.`);
      const seats = numbers.map((number) => present(locked.get(seatKey(scheduleId, number)), wait, changed));
      const held = seats.filter((seat) => seat.status === 'HELD' && seat.reservationId === id);
      if (held.length !== seatCount) throw changed();
      this.answer({
        payment: { id: quickId(), reservationId, userId, status: 'PAID', amount, balance: this.wallet.balance - amount, paidAt: now!, refundedAt: null },
        reservation: { ...this.reservation, status: 'CONFIRMED', updatedAt: now! },
        changes: held.map(({ number, version }) => ({ number, status: 'SOLD', version: version + 1, heldUntil: null })),
      });
    });
  }
}

/** Those that were paid before are answered with the same payment, as it is now. */
export async function answerRepeated(transaction: BriefTransaction, pays: readonly PayMember[]): Promise<void> {
  const repeated = open(pays).filter((pay) => pay.repeated);
  if (repeated.length === 0) return;
  const [payments] = await transaction.together([paymentsOf(repeated.map(({ request }) => request.reservationId))]);
  for (const pay of repeated) {
    pay.judge(() => pay.answer({ payment: present(payments.get(pay.request.reservationId), true, () => notFound('payment')), reservation: pay.reservation, changes: null }));
  }
}

export const moveOfPayment = (wallet: WalletRow, { id, amount }: PaymentRow): MoneyMove => ({ wallet, kind: 'PAYMENT', amount: -amount, sourceId: id });

/** Writes new payments; their money moves beside it. */
export function writingPayments(paid: readonly (Paid & { place: QueuePlace })[], at: Date, wait: boolean): Asked<void>[] {
  if (paid.length === 0) return [];
  return [
    ...confirmHolds(paid.map(({ reservation: { id, scheduleId }, changes }) => ({ id, scheduleId, numbers: changes!.map(({ number }) => number) })), at),
    insertPayments(paid.map(({ payment }) => payment)),
    endingPasses(paid.map(({ place }) => place), 'PAID', wait ? BRIEFLY : AT_ONCE),
  ];
}

export const toldOfPayment = ({ payment, reservation, changes }: Paid): Happening =>
  ofPayment('PAYMENT_MADE', payment, reservation, changes!.map(({ number }) => number), payment.paidAt);
