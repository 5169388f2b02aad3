import type { Loaders } from './database/loaders.js';
import type { ReadSet } from './domain/read-set.js';
import type { Viewer } from './domain/viewer.js';
import type { CancellationService } from './services/cancellation.service.js';
import type { ClockService } from './services/clock.service.js';
import type { ConcertService } from './services/concert.service.js';
import type { DeliveryService } from './services/delivery.service.js';
import type { PaymentService } from './services/payment.service.js';
import type { QueueService } from './services/queue.service.js';
import type { RelayService } from './services/relay.service.js';
import type { ReservationService } from './services/reservation.service.js';
import type { ScheduleService } from './services/schedule.service.js';
import type { SeatService } from './services/seat.service.js';
import type { SenderService } from './services/sender.service.js';
import type { SessionService } from './services/session.service.js';
import type { UserService } from './services/user.service.js';
import type { VenueService } from './services/venue.service.js';
import type { WalletService } from './services/wallet.service.js';
import type { WebhookService } from './services/webhook.service.js';

export interface Services {
  clock: ClockService;
  senders: SenderService;
  users: UserService;
  sessions: SessionService;
  venues: VenueService;
  concerts: ConcertService;
  schedules: ScheduleService;
  cancellations: CancellationService;
  seats: SeatService;
  queue: QueueService;
  reservations: ReservationService;
  wallets: WalletService;
  payments: PaymentService;
  webhooks: WebhookService;
  deliveries: DeliveryService;
  relay: RelayService;
}

/** What one GraphQL operation knows of its caller; the same over HTTP and websocket. Loaders live for one operation, or one event of a subscription. */
export interface Context {
  requestId: string;
  /** Null without a good access token. */
  viewer: Viewer | null;
  queueToken: string | null;
  /** Address of the client, for rate limits. */
  address: string;
  services: Services;
  loaders: Loaders;
  /** Where reads note what they read from, for who keeps answers. */
  reads?: ReadSet;
}
