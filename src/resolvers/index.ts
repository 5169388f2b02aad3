// First: the decorators of every resolver and type need it.
import 'reflect-metadata';
import { CancellationResolver } from './cancellation.resolver.js';
import { ClockResolver } from './clock.resolver.js';
import { ConcertAdminResolver } from './concert-admin.resolver.js';
import { ConcertResolver } from './concert.resolver.js';
import { PaymentResolver } from './payment.resolver.js';
import { QueueAdminResolver } from './queue-admin.resolver.js';
import { QueueResolver } from './queue.resolver.js';
import { ReservationResolver } from './reservation.resolver.js';
import { ScheduleAdminResolver } from './schedule-admin.resolver.js';
import { ScheduleResolver } from './schedule.resolver.js';
import { SeatResolver } from './seat.resolver.js';
import { UserResolver } from './user.resolver.js';
import { VenueResolver } from './venue.resolver.js';
import { WalletResolver } from './wallet.resolver.js';
import { WebhookResolver } from './webhook.resolver.js';

export const resolvers = [
  UserResolver,
  VenueResolver,
  ConcertResolver,
  ConcertAdminResolver,
  ScheduleResolver,
  ScheduleAdminResolver,
  CancellationResolver,
  SeatResolver,
  QueueResolver,
  QueueAdminResolver,
  ReservationResolver,
  PaymentResolver,
  WalletResolver,
  WebhookResolver,
  ClockResolver,
] as const;
