import type { KeptCharge, KeptPayment, KeptReservation } from '../../drills/support/buyer.js';
import type { FinalPayment, FinalReservation, FinalState } from '../../drills/support/final-state.js';
import { History, type Outcome } from '../../drills/support/history.js';
import { checkSale } from '../../drills/support/model.js';
import { seatsKey } from '../../drills/support/operation-index.js';

const CONCERT = 'concert';
export const DATE = 'date';
export const PRICE = 100;
export const HOLD_MS = 1000;
const SEATS = 4;
const CALL_MS = 10;
const AFTER_ALL_MS = 100_000;

/** A sale told by hand: what clients saw and what the database has, which agree until a test makes them disagree. Times are ms since it began. */
export class Story {
  readonly history = new History();
  readonly final: FinalState;
  readonly cancelledDates = new Set<string>();
  #names = 0;
  #callsAt: number | null = null;

  constructor() {
    const seats = Array.from({ length: SEATS }, (_, index) => ({ scheduleId: DATE, number: index + 1, price: PRICE, status: 'AVAILABLE' as const, reservationId: null }));
    this.final = { readAt: this.at(AFTER_ALL_MS), seats, reservations: [], payments: [], charges: [], ledger: [], balances: new Map() };
  }

  at(ms: number): number {
    return this.history.beganAt + ms;
  }

  kinds(): string[] {
    const violations = checkSale(this.history, this.final, { seatsPerUserMax: 2, cancelledDates: this.cancelledDates });
    return [...new Set(violations.map(({ kind }) => kind))];
  }

  /** The calls in it are made at that time; all others at once as the story is told. */
  when(ms: number, tell: () => void): void {
    this.#callsAt = ms;
    tell();
    this.#callsAt = null;
  }

  /** Only what the client saw. */
  call(name: string, user: string, key: string, args: Record<string, unknown>, outcome: Outcome, told?: unknown): void {
    const operation = this.history.invoke({ process: user, node: 'api-1', name, key, args });
    if (outcome === 'ok') this.history.ok(operation, told);
    else if (outcome === 'fail') this.history.fail(operation, (told as { code: string }).code, told);
    else this.history.unknown(operation, (told as { code: string } | undefined)?.code ?? 'ECONNRESET');
    if (this.#callsAt !== null) Object.assign(operation, { invokedAt: this.#callsAt, endedAt: this.#callsAt + CALL_MS });
  }

  callReserve(user: string, seatNumbers: number[], outcome: Outcome, told?: unknown): void {
    this.call('reserve', user, seatsKey(DATE, seatNumbers), { scheduleId: DATE, seatNumbers }, outcome, told);
  }

  callPay(user: string, reservationId: string, outcome: Outcome, told?: unknown): void {
    this.call('pay', user, reservationId, { reservationId }, outcome, told);
  }

  charge(user: string, amount: number, ms: number, { key = this.#name('key'), outcome = 'ok' as Outcome } = {}): void {
    const balance = this.balanceOf(user) + amount;
    const row = { id: this.#name('charge'), userId: user, key, amount, balance, chargedAt: this.at(ms) };
    const told: KeptCharge = { id: row.id, amount, balance, chargedAt: row.chargedAt };
    this.call('charge', user, key, { amount, idempotencyKey: key }, outcome, told);
    this.final.charges.push(row);
    this.#move(user, 'CHARGE', amount, row.id);
  }

  hold(user: string, seatNumbers: number[], ms: number, outcome: Outcome = 'ok', { concertId = CONCERT, scheduleId = DATE, lastsMs = HOLD_MS } = {}): FinalReservation {
    const row: FinalReservation = {
      id: this.#name('reservation'), userId: user, concertId, scheduleId, status: 'EXPIRED', seatNumbers, totalPrice: PRICE * seatNumbers.length,
      createdAt: this.at(ms), expiresAt: this.at(ms + lastsMs), updatedAt: this.at(ms + lastsMs),
    };
    const { id, totalPrice, createdAt, expiresAt } = row;
    const told: KeptReservation = { id, status: 'HELD', scheduleId, seatNumbers, totalPrice, createdAt, expiresAt };
    this.call('reserve', user, seatsKey(scheduleId, seatNumbers), { scheduleId, seatNumbers }, outcome, told);
    this.final.reservations.push(row);
    return row;
  }

  pay(reservation: FinalReservation, ms: number, outcome: Outcome = 'ok'): FinalPayment {
    const { id: reservationId, userId, totalPrice: amount, seatNumbers } = reservation;
    const row: FinalPayment = {
      id: this.#name('payment'), reservationId, userId, status: 'PAID', amount, balance: this.balanceOf(userId) - amount, paidAt: this.at(ms), refundedAt: null,
    };
    this.callPay(userId, reservationId, outcome, { ...row } satisfies KeptPayment);
    this.final.payments.push(row);
    this.#move(userId, 'PAYMENT', -amount, row.id);
    Object.assign(reservation, { status: 'CONFIRMED', updatedAt: row.paidAt });
    for (const seat of this.final.seats) if (seatNumbers.includes(seat.number)) Object.assign(seat, { status: 'SOLD', reservationId });
    return row;
  }

  refund(payment: FinalPayment, ms: number, outcome: Outcome = 'ok'): void {
    Object.assign(payment, { status: 'REFUNDED', refundedAt: this.at(ms) });
    this.call('refund', payment.userId, payment.id, { paymentId: payment.id }, outcome, { ...payment } satisfies KeptPayment);
    this.#move(payment.userId, 'REFUND', payment.amount, payment.id);
    const reservation = this.final.reservations.find(({ id }) => id === payment.reservationId)!;
    this.#end(reservation, 'REFUNDED', ms);
  }

  cancel(reservation: FinalReservation, ms: number, outcome: Outcome = 'ok'): void {
    this.#end(reservation, 'CANCELLED', ms);
    const { id, status, scheduleId, seatNumbers, totalPrice, createdAt, expiresAt } = reservation;
    const told: KeptReservation = { id, status, scheduleId, seatNumbers, totalPrice, createdAt, expiresAt };
    this.call('cancel', reservation.userId, id, { reservationId: id }, outcome, told);
  }

  balanceOf(user: string): number {
    return this.final.balances.get(user) ?? 0;
  }

  #end(reservation: FinalReservation, status: 'REFUNDED' | 'CANCELLED', ms: number): void {
    Object.assign(reservation, { status, updatedAt: this.at(ms) });
    for (const seat of this.final.seats) if (seat.reservationId === reservation.id) Object.assign(seat, { status: 'AVAILABLE', reservationId: null });
  }

  #move(userId: string, kind: 'CHARGE' | 'PAYMENT' | 'REFUND', amount: number, sourceId: string): void {
    const balanceAfter = this.balanceOf(userId) + amount;
    this.final.balances.set(userId, balanceAfter);
    this.final.ledger.push({ userId, kind, amount, balanceAfter, sourceId });
  }

  #name(noun: string): string {
    this.#names += 1;
    return `${noun}-${this.#names}`;
  }
}
