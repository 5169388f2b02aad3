import type { MikroORM } from '@mikro-orm/mysql';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { Config } from './config.js';
import type { Services } from './context.js';
import { closeDatabase } from './database/close.js';
import { LastKnown } from './database/last-known.js';
import { createLoaders, type Loaders } from './database/loaders.js';
import { connectDatabase, type DatabaseAddress } from './database/orm.config.js';
import { DatabaseSigns } from './database/pool-watch.js';
import { Transactions } from './database/transaction.js';
import { heartbeatMsOf, NEAR_POSITIONS, presenceMsOf } from './domain/queue.js';
import type { ReadSet } from './domain/read-set.js';
import { Metrics } from './metrics.js';
import { connectFailFast, connectPatient } from './redis/client.js';
import { EventStream } from './redis/event-stream.js';
import { Jobs } from './redis/jobs.js';
import { CatalogueGeneration } from './redis/catalogue-generation.js';
import { PubSub } from './redis/pubsub.js';
import { QueueRecoveryStore } from './redis/queue-recovery-store.js';
import { QueueStore } from './redis/queue-store.js';
import { RateLimiter } from './redis/rate-limiter.js';
import { SenderDesk } from './redis/sender-desk.js';
import { SeatGate } from './redis/seat-gate.js';
import { SeatLog } from './redis/seat-log.js';
import { ServerRun } from './redis/server-run.js';
import { SessionCache } from './redis/session-cache.js';
import { SharedCopies } from './redis/shared-copies.js';
import { ToldSeats } from './redis/told-seats.js';
import { within } from './redis/within.js';
import { Announcer } from './services/announcer.js';
import { CancellationService } from './services/cancellation.service.js';
import { Catalogue } from './services/catalogue.js';
import { ClockService } from './services/clock.service.js';
import { ConcertService } from './services/concert.service.js';
import { DeliveryService } from './services/delivery.service.js';
import { FollowUps } from './services/follow-ups.js';
import { Nudge } from './services/nudge.js';
import { PasswordService } from './services/password.service.js';
import { PaymentService } from './services/payment.service.js';
import { QueueAdmission } from './services/queue-admission.js';
import { QueuePositions } from './services/queue-positions.js';
import { QueueRecovery } from './services/queue-recovery.js';
import { QueueReturns } from './services/queue-returns.js';
import { QueueRooms } from './services/queue-rooms.js';
import { QueueService } from './services/queue.service.js';
import { RelayService } from './services/relay.service.js';
import { ReservationService } from './services/reservation.service.js';
import { SaleWriter } from './services/sale-writer.js';
import { ScheduleService } from './services/schedule.service.js';
import { SeatBoard } from './services/seat-board.js';
import { SeatService } from './services/seat.service.js';
import { SenderService } from './services/sender.service.js';
import { SessionService } from './services/session.service.js';
import { TokenService } from './services/token.service.js';
import { UserService } from './services/user.service.js';
import { VenueService } from './services/venue.service.js';
import { WalletService } from './services/wallet.service.js';
import { WebhookSender } from './services/webhook-sender.js';
import { WebhookService } from './services/webhook.service.js';

/** Where the two stores are. */
export interface StoreAddresses {
  database: DatabaseAddress;
  redis: string;
}

export interface App {
  config: Config;
  logger: Logger;
  metrics: Metrics;
  orm: MikroORM;
  databaseSigns: DatabaseSigns;
  /** For commands; fails fast. Workers and subscribers have connections of their own. */
  redis: Redis;
  redisRun: ServerRun;
  stores: StoreAddresses;
  transactions: Transactions;
  tokens: TokenService;
  passwords: PasswordService;
  limiter: RateLimiter;
  jobs: Jobs;
  pubsub: PubSub;
  services: Services;
  catalogue: Catalogue;
  board: SeatBoard;
  createLoaders(reads?: ReadSet): Loaders;
  close(): Promise<void>;
}

const CLOSE_PATIENCE_MS = 1000;

/** What only tests and benches change. */
export interface AppOptions {
  /** Whom a moving line is told at once. */
  nearPositions?: number;
}

/** Composition root: the only place that makes clients, stores and services. */
export async function createApp(config: Config, stores: StoreAddresses, logger: Logger, options: AppOptions = {}): Promise<App> {
  const metrics = new Metrics(logger);
  const orm = await connectDatabase(stores.database, { poolMax: config.databasePoolMax });
  const databaseSigns = new DatabaseSigns();
  const lastKnown = new LastKnown(databaseSigns);
  const redis = await connectFailFast(stores.redis, logger);
  const subscriber = connectPatient(stores.redis, logger);
  const pubsub = new PubSub(redis, subscriber, metrics, logger);
  const jobs = new Jobs(redis, logger);
  const stream = new EventStream(redis);
  const relayNudge = new Nudge('relay-nudge', async () => (await stream.askAgain()) || jobs.nudge('relay'), metrics);
  const transactions = new Transactions(orm, (reason) => metrics.transactionRetried(reason), () => relayNudge.give());
  const tokens = new TokenService(config.authSecret, config.accessTokenTtlMs, config.queue.tokenTtlMs);
  const redisRun = new ServerRun(redis);
  const gate = new SeatGate(redis, redisRun);
  const shared = new SharedCopies(redis);
  const catalogue = new Catalogue(new CatalogueGeneration(redis, redisRun), shared, pubsub, lastKnown);
  const board = new SeatBoard({ transactions, log: new SeatLog(redis, redisRun), shared, pubsub, signs: databaseSigns, lastKnown });
  tellWhetherHeard(subscriber, [catalogue, board]);

  const limiter = new RateLimiter(redis, config.rateLimit);
  const passwords = new PasswordService();
  const sessions = new SessionService(transactions, new SessionCache(redis, redisRun, config.accessTokenTtlMs, logger), pubsub, tokens, config);
  const queue = createQueue(redis, redisRun, pubsub, { transactions, tokens, metrics, config, logger }, options);
  const toldSeats = new ToldSeats(redis);
  const announcer = new Announcer(gate, jobs, queue, pubsub, board, toldSeats, metrics);
  const writer = new SaleWriter(transactions, announcer, config);
  const deliveries = new DeliveryService(transactions, jobs, new WebhookSender(config.webhookPrivateAddresses), metrics);
  const relay = new RelayService(transactions, stream, deliveries, new FollowUps(gate, pubsub, board, toldSeats, metrics), metrics, () => relayNudge.give());
  metrics.watchQueues(() => queue.totals());
  metrics.watchOutbox(() => relay.backlog());
  void sessions.forgetRevoked().catch((error: unknown) => logger.warn({ err: error }, 'word of sign-outs is not heard'));
  const desk = new SenderDesk(redis, redisRun, limiter, logger);
  const services: Services = {
    senders: new SenderService(sessions, desk),
    clock: new ClockService(transactions),
    sessions,
    users: new UserService(transactions, sessions, passwords, limiter),
    venues: new VenueService(transactions, catalogue, metrics),
    concerts: new ConcertService(transactions, catalogue, board, metrics),
    schedules: new ScheduleService(transactions, catalogue, board, metrics),
    cancellations: new CancellationService(transactions, jobs, announcer, catalogue, metrics),
    seats: new SeatService(board, queue),
    queue,
    reservations: new ReservationService(transactions, writer, gate, announcer, pubsub, metrics, config),
    wallets: new WalletService(writer, config),
    payments: new PaymentService(transactions, writer, queue, tokens, announcer, metrics),
    webhooks: new WebhookService(transactions, deliveries, !config.production),
    deliveries,
    relay,
  };

  return {
    config,
    logger,
    metrics,
    orm,
    databaseSigns,
    redis,
    redisRun,
    stores,
    transactions,
    tokens,
    passwords,
    limiter,
    jobs,
    pubsub,
    services,
    catalogue,
    board,
    createLoaders: (reads) => createLoaders(() => transactions.fork(), catalogue, board, reads),
    close: async () => {
      await within(writer.close(), CLOSE_PATIENCE_MS).catch((error: unknown) => logger.debug({ err: error }, 'writer not drained'));
      desk.close();
      // A silent Redis keeps nobody.
      await within(jobs.close(), CLOSE_PATIENCE_MS).catch((error: unknown) => logger.debug({ err: error }, 'job queues not closed'));
      subscriber.disconnect();
      redis.disconnect();
      await closeDatabase(orm);
    },
  };
}

/** While the subscriber is away messages are lost, and nobody says which. */
function tellWhetherHeard(subscriber: Redis, listeners: readonly { deafen(): void; hear(): void }[]): void {
  subscriber.on('close', () => listeners.forEach((listener) => listener.deafen()));
  subscriber.on('ready', () => listeners.forEach((listener) => listener.hear()));
}

/** The waiting room over one connection to Redis. */
export function createQueue(
  redis: Redis,
  redisRun: ServerRun,
  pubsub: PubSub,
  { transactions, tokens, metrics, config, logger }: Pick<App, 'transactions' | 'tokens' | 'metrics' | 'config' | 'logger'>,
  { nearPositions = NEAR_POSITIONS }: AppOptions = {},
): QueueService {
  const recovery = new QueueRecovery(new QueueRecoveryStore(redis, redisRun), transactions, pubsub, metrics, config.queue, logger);
  const store = new QueueStore(redis, redisRun, (concertId) => recovery.recover(concertId));
  const returns = new QueueReturns(store, transactions);
  const positions = new QueuePositions(store, returns);
  const { absenceGraceMs } = config.queue;
  const rooms = new QueueRooms(pubsub, positions, { nearPositions, heartbeatMs: heartbeatMsOf(absenceGraceMs), presenceMs: presenceMsOf(absenceGraceMs) }, logger);
  redis.on('ready', () => rooms.refresh());
  const admission = new QueueAdmission(store, transactions, pubsub, metrics, config.queue, logger);
  return new QueueService(transactions, store, positions, returns, rooms, admission, pubsub, tokens, config.queue, logger);
}
