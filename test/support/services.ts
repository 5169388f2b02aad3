import type { App } from '../../src/app.js';
import type { Config } from '../../src/config.js';
import type { Transactions } from '../../src/database/transaction.js';
import { SeatGate } from '../../src/redis/seat-gate.js';
import { ToldSeats } from '../../src/redis/told-seats.js';
import { Announcer } from '../../src/services/announcer.js';
import { PaymentService } from '../../src/services/payment.service.js';
import { ReservationService } from '../../src/services/reservation.service.js';
import { SaleWriter } from '../../src/services/sale-writer.js';
import type { SeatBoard } from '../../src/services/seat-board.js';
import { WalletService } from '../../src/services/wallet.service.js';

interface Other {
  transactions?: Transactions;
  gate?: SeatGate;
  board?: Pick<SeatBoard, 'tell'>;
  config?: Config;
  holdsRememberedMax?: number;
}

/** Services of a process like this app, with a writer of its own, in which something is other than it is there. */
export function servicesOf(app: App, other: Other = {}) {
  const { redis, redisRun, jobs, pubsub, metrics } = app;
  const { transactions, gate, board, config } = { transactions: app.transactions, gate: new SeatGate(redis, redisRun), board: app.board, config: app.config, ...other };
  const announcer = new Announcer(gate, jobs, app.services.queue, pubsub, board, new ToldSeats(redis), metrics);
  const writer = new SaleWriter(transactions, announcer, config, other.holdsRememberedMax);
  return {
    writer,
    reservations: new ReservationService(transactions, writer, gate, announcer, pubsub, metrics, config),
    payments: new PaymentService(transactions, writer, app.services.queue, app.tokens, announcer, metrics),
    wallets: new WalletService(writer, config),
  };
}
