import type { Payment } from '../database/entities/payment.entity.js';
import type { Transactions } from '../database/transaction.js';
import type { Page } from '../domain/cursor.js';
import type { Counters } from '../domain/counters.js';
import type { Viewer } from '../domain/viewer.js';
import type { PubSub } from '../redis/pubsub.js';
import type { SeatGate } from '../redis/seat-gate.js';
import type { QueueService } from './queue.service.js';
import type { TokenService } from './token.service.js';

export class PaymentService {
  constructor(
    readonly transactions: Transactions,
    readonly gate: SeatGate,
    readonly queue: QueueService,
    readonly tokens: TokenService,
    readonly pubsub: PubSub,
    readonly counters: Counters,
  ) {}

  pay(_viewer: Viewer, _queueToken: string | null, _reservationId: string): Promise<Payment> {
    throw new Error('stub');
  }
  refund(_viewer: Viewer, _paymentId: string): Promise<Payment> {
    throw new Error('stub');
  }
  pageOfUser(_userId: string, _first: number, _after: string | null): Promise<Page<Payment>> {
    throw new Error('stub');
  }
}
