import { LockMode, type EntityManager } from '@mikro-orm/mysql';
import { databaseNow } from '../database/clock.js';
import { Payment } from '../database/entities/payment.entity.js';
import type { Reservation } from '../database/entities/reservation.entity.js';
import { Schedule } from '../database/entities/schedule.entity.js';
import { tell } from '../database/repositories/outbox.repository.js';
import { endedBefore, endReservations, lockReservations, type EndedReservation } from '../database/repositories/reservation.repository.js';
import { lockWallet, moveMoney } from '../database/repositories/wallet.repository.js';
import type { EventType, Happening } from '../domain/event.js';
import { PaymentNotRefundable } from '../domain/refusals.js';

/** The transaction of a refund, whoever asks for it: money, ledger, payment, reservation, seats and event change together, once. */

export interface Refunded {
  payment: Payment;
  ended: EndedReservation[];
  /** Ended by an earlier refund. */
  repeated: EndedReservation | null;
}

/** A date that was cancelled is refunded also after it would have begun. No limit of balances applies: the money was the buyer's before. */
export async function refundPayment(em: EntityManager, { id, userId, reservationId }: Payment): Promise<Refunded> {
  const wallet = await lockWallet(em, userId);
  const [reservation] = await lockReservations(em, [reservationId]);
  const payment = await em.findOneOrFail(Payment, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE });
  if (payment.status === 'REFUNDED') return { payment, ended: [], repeated: await endedBefore(em, reservation!) };
  const { startsAt, cancelledAt } = await em.findOneOrFail(Schedule, { id: reservation!.scheduleId });
  const now = await databaseNow(em);
  if (startsAt <= now && !cancelledAt) throw new PaymentNotRefundable(reservation!.status);

  moveMoney(em, wallet, { kind: 'REFUND', amount: payment.amount, sourceId: id, at: now });
  payment.status = 'REFUNDED';
  payment.refundedAt = now;
  await em.flush();
  const ended = await endReservations(em, [reservation!], 'REFUNDED', now);
  await tell(em, ended.map(({ numbers }) => ofPayment('PAYMENT_REFUNDED', payment, reservation!, numbers, now)));
  return { payment, ended, repeated: null };
}

/** What other systems are told of a payment. */
export function ofPayment(type: EventType, { id: paymentId, amount }: Payment, { id, userId, concertId, scheduleId }: Reservation, seatNumbers: number[], occurredAt: Date): Happening {
  return { type, occurredAt, userId, concertId, reservationId: id, payload: { paymentId, amount, scheduleId, seatNumbers } };
}
