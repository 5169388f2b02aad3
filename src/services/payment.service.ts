import type { EntityManager } from '@mikro-orm/mysql';
import { v7 as uuid } from 'uuid';
import { databaseNow } from '../database/clock.js';
import { Payment } from '../database/entities/payment.entity.js';
import { QueuePass } from '../database/entities/queue-pass.entity.js';
import { Reservation } from '../database/entities/reservation.entity.js';
import { Seat } from '../database/entities/seat.entity.js';
import { tell } from '../database/repositories/outbox.repository.js';
import { endPass } from '../database/repositories/queue.repository.js';
import { lockReservations, numbersOf } from '../database/repositories/reservation.repository.js';
import { shareSchedule } from '../database/repositories/schedule.repository.js';
import { lockWallet, moveMoney } from '../database/repositories/wallet.repository.js';
import type { Transactions } from '../database/transaction.js';
import type { Counters } from '../domain/counters.js';
import { idOfCursor, pageOf, type Page } from '../domain/cursor.js';
import { notFound, queueTokenRequired } from '../domain/errors.js';
import { isOver } from '../domain/hold.js';
import { pageSizeOf, uuidOf } from '../domain/input.js';
import type { QueuePlace } from '../domain/queue.js';
import { InsufficientBalance, ReservationNotPayable } from '../domain/refusals.js';
import type { Viewer } from '../domain/viewer.js';
import { topics, type PubSub } from '../redis/pubsub.js';
import type { SeatGate } from '../redis/seat-gate.js';
import { afterCommit } from './after-commit.js';
import { announceEnded, freeAgain } from './announce-ended.js';
import { ofPayment, refundPayment } from './refund.js';
import type { QueueService } from './queue.service.js';
import type { TokenService } from './token.service.js';

/** What a first payment brings along for those who are told after the commit; null when it was paid before. */
interface Paid {
  payment: Payment;
  sold: number[] | null;
}

/**
 * A reservation is paid at most once and a payment refunded at most once; money, seats, reservation and queue pass change together. Neither
 * needs Redis.
 */
export class PaymentService {
  constructor(
    private readonly transactions: Transactions,
    private readonly gate: SeatGate,
    private readonly queue: QueueService,
    private readonly tokens: TokenService,
    private readonly pubsub: PubSub,
    private readonly counters: Counters,
  ) {}

  async pay(viewer: Viewer, queueToken: string | null, reservationId: string): Promise<Payment> {
    const id = uuidOf('reservationId', reservationId);
    const reservation = await this.transactions.fork().findOne(Reservation, { id, userId: viewer.userId });
    if (!reservation) throw notFound('reservation');
    const place = await this.#provenPlace(viewer, queueToken, reservation.concertId);
    const { payment, sold } = await this.transactions.run((em) => payHold(em, reservation, place));
    if (sold) await this.#announcePaid(reservation, place, sold);
    else if (await this.#endedByPayment(place)) await afterCommit(this.counters, { 'queue-complete': () => this.#complete(place) });
    return payment;
  }

  async refund(viewer: Viewer, paymentId: string): Promise<Payment> {
    const id = uuidOf('paymentId', paymentId);
    const found = await this.transactions.fork().findOne(Payment, { id, userId: viewer.userId });
    if (!found) throw notFound('payment');
    const { payment, ended, repeated } = await this.transactions.run((em) => refundPayment(em, found));
    await announceEnded(ended, this.gate, this.pubsub, this.counters);
    await freeAgain(repeated, this.gate, this.counters);
    return payment;
  }

  async pageOfUser(userId: string, first: number, after: string | null): Promise<Page<Payment>> {
    const size = pageSizeOf('first', first);
    const where = { userId, ...(after === null ? {} : { id: { $lt: idOfCursor('after', after) } }) };
    return pageOf(await this.transactions.fork().find(Payment, where, { orderBy: { id: 'desc' }, limit: size + 1 }), size);
  }

  /** The place its queue token proves, in any state: the live hold stands for the pass. */
  async #provenPlace(viewer: Viewer, queueToken: string | null, concertId: string): Promise<QueuePlace> {
    const place = queueToken === null ? null : await this.tokens.verifyQueue(queueToken);
    if (place?.userId !== viewer.userId || place.concertId !== concertId) throw queueTokenRequired();
    return place;
  }

  /** A repeated payment may be the first that gets this far: the process of the first may have died after its commit. */
  async #endedByPayment({ concertId, userId, place }: QueuePlace): Promise<boolean> {
    return (await this.transactions.fork().count(QueuePass, { concertId, userId, place, endedBy: 'PAID' })) > 0;
  }

  #complete({ concertId, userId, place }: QueuePlace): Promise<void> {
    return this.queue.complete(concertId, userId, place);
  }

  async #announcePaid({ id, userId, concertId, scheduleId }: Reservation, place: QueuePlace, numbers: number[]): Promise<void> {
    this.counters.reservationBecame('CONFIRMED');
    await afterCommit(this.counters, {
      'gate-sold': () => this.gate.sold({ concertId, scheduleId, numbers }, id),
      'queue-complete': () => this.#complete(place),
      publish: () => this.pubsub.publish<'reservationChanged'>(topics.reservationChanged(userId), { reservationId: id }),
    });
  }
}

/** The hold is judged when its row is locked: whether this payment or the end of the hold was first is decided there, once. */
async function payHold(em: EntityManager, { id: reservationId, userId, scheduleId }: Reservation, place: QueuePlace): Promise<Paid> {
  const date = await shareSchedule(em, scheduleId);
  const wallet = await lockWallet(em, userId);
  const [reservation] = await lockReservations(em, [reservationId]);
  if (!reservation) throw notFound('reservation');
  if (reservation.status === 'CONFIRMED') return { payment: await em.findOneOrFail(Payment, { reservationId }), sold: null };
  const now = await databaseNow(em);
  if (isOver(reservation, now)) throw new ReservationNotPayable('EXPIRED');
  if (reservation.status !== 'HELD') throw new ReservationNotPayable(reservation.status);
  if (date!.cancelledAt) throw new ReservationNotPayable('CANCELLED');
  // A hold ends with the start of its date at the latest; the date may have been moved forward since.
  if (date!.startsAt <= now) throw new ReservationNotPayable('EXPIRED');
  if (wallet.balance < reservation.totalPrice) throw new InsufficientBalance(wallet.balance, reservation.totalPrice);

  const amount = reservation.totalPrice;
  const id = uuid();
  moveMoney(em, wallet, { kind: 'PAYMENT', amount: -amount, sourceId: id, at: now });
  reservation.status = 'CONFIRMED';
  reservation.updatedAt = now;
  const payment = em.create(Payment, { id, reservationId, userId, status: 'PAID', amount, balance: wallet.balance, paidAt: now, refundedAt: null });
  await em.flush();
  const sold = await sellSeats(em, reservation);
  await endPass(em, place, 'PAID');
  await tell(em, [ofPayment('PAYMENT_MADE', payment, reservation, sold, now)]);
  return { payment, sold };
}

async function sellSeats(em: EntityManager, { id, scheduleId, seatCount }: Reservation): Promise<number[]> {
  const numbers = (await numbersOf(em, [id])).get(id) ?? [];
  const sold = await em.nativeUpdate(Seat, { scheduleId, number: { $in: numbers }, reservationId: id, status: 'HELD' }, { status: 'SOLD', heldUntil: null });
  if (sold !== seatCount) throw new Error(`Reservation ${id} is live but holds ${sold} of its ${seatCount} seats.`);
  return numbers;
}
