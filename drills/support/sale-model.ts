import type { ReservationStatus } from '../../src/domain/states.js';
import type { FinalCharge, FinalPayment, FinalReservation } from './final-state.js';

/** One change of the sale, as the database says it was committed. */
export type SaleEvent =
  | { kind: 'charge'; at: number; charge: FinalCharge }
  | { kind: 'reserve'; at: number; reservation: FinalReservation }
  | { kind: 'pay'; at: number; payment: FinalPayment }
  | { kind: 'refund'; at: number; payment: FinalPayment; balanceAfter: number }
  | { kind: 'cancel' | 'expire'; at: number; reservation: FinalReservation };

/** Why the model would not have done what the system did. */
export interface Refused {
  kind: string;
  what: string;
  /** Reservations whose operations show it. */
  reservationIds: string[];
}

interface ModelReservation {
  row: FinalReservation;
  status: ReservationStatus;
}

export const seatKey = (scheduleId: string, number: number): string => `${scheduleId} ${number}`;

/** A sale in memory, small enough to be believed: one thing at a time, each of them judged before it is done. */
export class SaleModel {
  readonly reservations = new Map<string, ModelReservation>();
  readonly balances = new Map<string, number>();
  readonly #holders = new Map<string, ModelReservation>();
  readonly #keys = new Set<string>();
  readonly #paid = new Map<string, FinalPayment['status']>();
  readonly #ofUser = new Map<string, ModelReservation[]>();

  constructor(private readonly seatsPerUserMax: number) {}

  /** Null: it may be done now. */
  judge(event: SaleEvent): Refused | null {
    switch (event.kind) {
      case 'charge':
        return this.#judgeCharge(event.charge);
      case 'reserve':
        return this.#judgeReserve(event.reservation);
      case 'pay':
        return this.#judgePay(event.payment);
      case 'refund':
        return this.#judgeRefund(event.payment, event.balanceAfter);
      default:
        return this.#judgeEnd(event);
    }
  }

  /** Done whatever `judge` says, so that one violation does not look like many. */
  apply(event: SaleEvent): void {
    switch (event.kind) {
      case 'charge':
        this.#keys.add(`${event.charge.userId} ${event.charge.key}`);
        this.#move(event.charge.userId, event.charge.amount);
        return;
      case 'reserve':
        return this.#hold(event.reservation);
      case 'pay':
        this.#paid.set(event.payment.id, 'PAID');
        this.#move(event.payment.userId, -event.payment.amount);
        return this.#become(event.payment.reservationId, 'CONFIRMED');
      case 'refund':
        this.#paid.set(event.payment.id, 'REFUNDED');
        this.#move(event.payment.userId, event.payment.amount);
        return this.#become(event.payment.reservationId, 'REFUNDED');
      default:
        return this.#become(event.reservation.id, event.kind === 'cancel' ? 'CANCELLED' : 'EXPIRED');
    }
  }

  balanceOf(userId: string): number {
    return this.balances.get(userId) ?? 0;
  }

  /** The live reservation of a seat at that time. */
  holderOf(scheduleId: string, number: number, at: number): { id: string; status: ReservationStatus } | null {
    const holder = this.#holders.get(seatKey(scheduleId, number));
    return holder && isLive(holder, at) ? { id: holder.row.id, status: holder.status } : null;
  }

  statusOf(reservationId: string, at: number): ReservationStatus | undefined {
    const known = this.reservations.get(reservationId);
    if (!known) return undefined;
    return known.status === 'HELD' && known.row.expiresAt <= at ? 'EXPIRED' : known.status;
  }

  #judgeCharge({ userId, key, amount, balance }: FinalCharge): Refused | null {
    if (this.#keys.has(`${userId} ${key}`)) return refused('double-charge', `user ${userId} was charged twice with the key ${key}`);
    return this.#judgeBalance(userId, amount, balance, `charge ${key}`, []);
  }

  #judgeReserve({ id, userId, scheduleId, concertId, seatNumbers, createdAt, expiresAt }: FinalReservation): Refused | null {
    if (expiresAt <= createdAt) return refused('hold-without-time', `reservation ${id} ended as it began`, id);
    for (const number of seatNumbers) {
      const holder = this.#holders.get(seatKey(scheduleId, number));
      if (!holder || !isLive(holder, createdAt)) continue;
      const kind = holder.status === 'CONFIRMED' ? 'double-sale' : 'overlapping-holds';
      return refused(kind, `seat ${number} of ${scheduleId} was reserved by ${id} while it was ${holder.status} by ${holder.row.id}`, id, holder.row.id);
    }
    const own = (this.#ofUser.get(userId) ?? []).filter((one) => one.row.concertId === concertId && isLive(one, createdAt));
    const seats = own.reduce((sum, one) => sum + one.row.seatNumbers.length, seatNumbers.length);
    if (seats > this.seatsPerUserMax) return refused('seat-limit', `user ${userId} got ${seats} seats of ${concertId}`, id, ...own.map((one) => one.row.id));
    return null;
  }

  #judgePay({ id, reservationId, userId, amount, balance, paidAt }: FinalPayment): Refused | null {
    const reservation = this.reservations.get(reservationId);
    if (!reservation) return refused('charged-without-seat', `payment ${id} is of no reservation`, reservationId);
    const { row, status } = reservation;
    if (status !== 'HELD') return refused('paid-twice', `payment ${id} of reservation ${reservationId}, which was ${status}`, reservationId);
    if (row.expiresAt <= paidAt) return refused('late-payment', `payment ${id} came ${paidAt - row.expiresAt} ms after the end of ${reservationId}`, reservationId);
    if (row.userId !== userId || row.totalPrice !== amount) return refused('wrong-payment', `payment ${id} of ${amount} by ${userId} for ${row.totalPrice} of ${row.userId}`, reservationId);
    if (this.balanceOf(userId) < amount) return refused('negative-balance', `payment ${id} of ${amount} from a balance of ${this.balanceOf(userId)}`, reservationId);
    return this.#judgeBalance(userId, -amount, balance, `payment ${id}`, [reservationId]);
  }

  #judgeRefund({ id, reservationId, userId, amount }: FinalPayment, balanceAfter: number): Refused | null {
    const before = this.#paid.get(id);
    if (before !== 'PAID') return refused('double-refund', `payment ${id} was refunded while it was ${before ?? 'not made'}`, reservationId);
    return this.#judgeBalance(userId, amount, balanceAfter, `refund of ${id}`, [reservationId]);
  }

  #judgeEnd({ kind, at, reservation: { id, expiresAt } }: Extract<SaleEvent, { kind: 'cancel' | 'expire' }>): Refused | null {
    const status = this.reservations.get(id)?.status;
    if (kind === 'expire' && at < expiresAt) return refused('ended-early', `reservation ${id} expired ${expiresAt - at} ms before its end`, id);
    if (kind === 'cancel' && at >= expiresAt) return refused('late-cancel', `reservation ${id} was cancelled ${at - expiresAt} ms after its end`, id);
    const may = kind === 'expire' ? ['HELD', 'EXPIRED'] : ['HELD'];
    if (!status || !may.includes(status)) return refused('wrong-end', `reservation ${id}: ${kind} while it was ${status ?? 'not made'}`, id);
    return null;
  }

  #judgeBalance(userId: string, change: number, told: number, what: string, reservationIds: string[]): Refused | null {
    const balance = this.balanceOf(userId) + change;
    return balance === told ? null : refused('balance', `${what} of user ${userId} left ${told} and should have left ${balance}`, ...reservationIds);
  }

  #hold(row: FinalReservation): void {
    const made: ModelReservation = { row, status: 'HELD' };
    this.reservations.set(row.id, made);
    const own = this.#ofUser.get(row.userId);
    if (own) own.push(made);
    else this.#ofUser.set(row.userId, [made]);
    for (const number of row.seatNumbers) this.#holders.set(seatKey(row.scheduleId, number), made);
  }

  #become(id: string, status: ReservationStatus): void {
    const known = this.reservations.get(id);
    if (known) known.status = status;
  }

  #move(userId: string, amount: number): void {
    this.balances.set(userId, this.balanceOf(userId) + amount);
  }
}

const isLive = ({ row, status }: ModelReservation, at: number): boolean => status === 'CONFIRMED' || (status === 'HELD' && row.expiresAt > at);

const refused = (kind: string, what: string, ...reservationIds: string[]): Refused => ({ kind, what, reservationIds });

/**
 * Does the events in the order of their times. Those of one millisecond have no order of their own: any in which the model does them all will do.
 * Answers what the model would not have done.
 */
export function replay(model: SaleModel, events: readonly SaleEvent[]): Refused[] {
  const found: Refused[] = [];
  const sorted = [...events].sort((a, b) => a.at - b.at);
  for (let from = 0; from < sorted.length; ) {
    let to = from;
    while (to < sorted.length && sorted[to]!.at === sorted[from]!.at) to += 1;
    found.push(...replayTogether(model, sorted.slice(from, to)));
    from = to;
  }
  return found;
}

function replayTogether(model: SaleModel, events: SaleEvent[]): Refused[] {
  const found: Refused[] = [];
  const left = [...events];
  while (left.length > 0) {
    const next = left.findIndex((event) => model.judge(event) === null);
    const [event] = left.splice(Math.max(0, next), 1);
    if (next < 0) found.push(model.judge(event!)!);
    model.apply(event!);
  }
  return found;
}
