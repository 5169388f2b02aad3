import DataLoader from 'dataloader';
import { Payment } from '../database/entities/payment.entity.js';
import { QueuePass } from '../database/entities/queue-pass.entity.js';
import { capturedReservations, type CapturedReservation } from '../database/repositories/reservation.repository.js';
import type { PaymentRow, ReservationRow } from '../database/repositories/sale.repository.js';
import type { CapturedSeat } from '../database/repositories/sale-writes.repository.js';
import type { Transactions } from '../database/transaction.js';
import type { Counters } from '../domain/counters.js';
import { idOfCursor, pageOf, type Page } from '../domain/cursor.js';
import { byDeadline, remainingMs, withoutDeadline } from '../domain/deadline.js';
import { notFound, queueTokenRequired } from '../domain/errors.js';
import { pageSizeOf, uuidOf } from '../domain/input.js';
import type { QueuePlace } from '../domain/queue.js';
import type { Viewer } from '../domain/viewer.js';
import { afterCommit } from './after-commit.js';
import type { Announcer } from './announcer.js';
import type { QueueService } from './queue.service.js';
import { refundPayment } from './refund.js';
import type { SaleWriter } from './sale-writer.js';
import type { TokenService } from './token.service.js';

/** A payment with what is known of its reservation by then. */
export type PaymentMade = PaymentRow & { reservation: ReservationRow; seats: CapturedSeat[] };

/** Reservations that are looked up together, before their transaction. */
const LOOKED_UP_MAX = 128;

/**
 * A reservation is paid at most once and a payment refunded at most once; money, seats, reservation and queue pass change together. Neither
 * needs Redis.
 */
export class PaymentService {
  readonly #captured: DataLoader<string, CapturedReservation | null>;

  constructor(
    private readonly transactions: Transactions,
    private readonly writer: SaleWriter,
    private readonly queue: QueueService,
    private readonly tokens: TokenService,
    private readonly announcer: Announcer,
    private readonly counters: Counters,
  ) {
    this.#captured = new DataLoader((ids) => this.#lookUp(ids), { cache: false, maxBatchSize: LOOKED_UP_MAX, batchScheduleFn: (look) => void setImmediate(() => withoutDeadline(look)) });
  }

  async pay(viewer: Viewer, queueToken: string | null, reservationId: string): Promise<PaymentMade> {
    const id = uuidOf('reservationId', reservationId);
    const captured = this.writer.capturedBy(id) ?? (await byDeadline(this.#captured.load(id), remainingMs()));
    if (captured?.userId !== viewer.userId) throw notFound('reservation');
    const { concertId, scheduleId, seats } = captured;
    const place = await this.#provenPlace(viewer, queueToken, concertId);
    const { payment, reservation, changes } = await this.writer.pay({ reservationId: id, userId: viewer.userId, scheduleId, numbers: seats.map(({ number }) => number), place });
    const complete = () => this.queue.complete(concertId, viewer.userId, place.place);
    if (!changes && (await this.#endedByPayment(place))) await afterCommit(this.counters, { 'queue-complete': complete });
    return { ...payment, reservation, seats };
  }

  async #lookUp(ids: readonly string[]): Promise<(CapturedReservation | null)[]> {
    const found = await capturedReservations(this.transactions.fork(), ids);
    return ids.map((id) => found.get(id) ?? null);
  }

  async refund(viewer: Viewer, paymentId: string): Promise<Payment> {
    const id = uuidOf('paymentId', paymentId);
    const found = await this.transactions.fork().findOne(Payment, { id, userId: viewer.userId });
    if (!found) throw notFound('payment');
    const { payment, ended, repeated } = await this.transactions.run((em) => refundPayment(em, found));
    await this.announcer.ended(ended);
    await this.announcer.endedBefore(repeated);
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
}
