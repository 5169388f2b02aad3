import { ClockResolver } from './clock.resolver.js';
import { ConcertResolver } from './concert.resolver.js';
import { PaymentResolver } from './payment.resolver.js';
import { QueueResolver } from './queue.resolver.js';
import { ReservationResolver } from './reservation.resolver.js';
import { ScheduleResolver } from './schedule.resolver.js';
import { SeatResolver } from './seat.resolver.js';
import { UserResolver } from './user.resolver.js';
import { WalletResolver } from './wallet.resolver.js';

export const resolvers = [
  UserResolver,
  ConcertResolver,
  ScheduleResolver,
  SeatResolver,
  QueueResolver,
  ReservationResolver,
  PaymentResolver,
  WalletResolver,
  ClockResolver,
] as const;
