import { MikroORM, MySqlDriver, type Options } from '@mikro-orm/mysql';
import { MariaDbDriver } from '@mikro-orm/mariadb';
import { Migrator } from '@mikro-orm/migrations';
import { CompiledQuery, type DatabaseConnection } from 'kysely';
import { format } from 'mysql2';
import { CancellationFailure } from './entities/cancellation-failure.entity.js';
import { Charge } from './entities/charge.entity.js';
import { Concert } from './entities/concert.entity.js';
import { ConcertPrice } from './entities/concert-price.entity.js';
import { LedgerEntry } from './entities/ledger-entry.entity.js';
import { OutboxEvent } from './entities/outbox-event.entity.js';
import { Payment } from './entities/payment.entity.js';
import { QueueLine } from './entities/queue-line.entity.js';
import { QueuePass } from './entities/queue-pass.entity.js';
import { Reservation } from './entities/reservation.entity.js';
import { ReservationQuota } from './entities/reservation-quota.entity.js';
import { ReservationSeat } from './entities/reservation-seat.entity.js';
import { Schedule } from './entities/schedule.entity.js';
import { Seat } from './entities/seat.entity.js';
import { Session } from './entities/session.entity.js';
import { User } from './entities/user.entity.js';
import { Venue } from './entities/venue.entity.js';
import { Wallet } from './entities/wallet.entity.js';
import { WebhookDelivery } from './entities/webhook-delivery.entity.js';
import { Webhook } from './entities/webhook.entity.js';
import { migrations } from './migrations/index.js';

/** Where the database is: a `mysql://` URL, or the unix socket and name of the own server. */
export type DatabaseAddress = { url: string } | { socketPath: string; name: string };

/** Twice as long, for a wait that is tried again, is still within the time of a request. */
export const LOCK_WAIT_TIMEOUT_S = 2;
/** A process that freezes in the middle of a transaction keeps its locks for so long; then the server rolls it back. */
export const STILL_TRANSACTION_TIMEOUT_S = 5;
/** A server that takes connections and greets nobody counts as away after this long. */
const CONNECT_TIMEOUT_MS = 4000;
/** Who comes while so many wait for a connection is turned away at once: about what ten connections answer before the first of them gives up. */
export const POOL_WAITING_MAX = 5000;

/** Several statements of ours may go in one message (`together.ts`); no value is ever put into their text but by the driver's own escaping. */
const OF_DRIVER = { multipleStatements: true, queryFormat: valuesIn, queueLimit: POOL_WAITING_MAX, connectTimeout: CONNECT_TIMEOUT_MS };

/** MikroORM has put the values in already; the driver would read through the whole text once more for places to put none. */
function valuesIn(sql: string, values: readonly string[]): string {
  return values.length === 0 ? sql : format(sql, [...values], false, 'Z');
}

/** UTC whatever the server's zone; READ COMMITTED so that a reserve locks the rows it names and no gaps; a bounded wait for a lock. */
const SESSION_SETTINGS = [
  "set session time_zone = '+00:00'",
  'set session transaction isolation level read committed',
  // The second is MariaDB's alone.
  `set session innodb_lock_wait_timeout = ${LOCK_WAIT_TIMEOUT_S} /*M!100300 , session idle_transaction_timeout = ${STILL_TRANSACTION_TIMEOUT_S} */`,
  "set session sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
];

const entities = [
  User, Session, Wallet, LedgerEntry, Charge, Venue, Concert, ConcertPrice, Schedule, Seat,
  Reservation, ReservationSeat, ReservationQuota, Payment, QueuePass, QueueLine, OutboxEvent, Webhook, WebhookDelivery, CancellationFailure,
];

export interface DatabaseOptions {
  poolMax: number;
  /** True lets several stale entities of one flush pass their version check: on only in the test that shows it. */
  useBatchUpdates?: boolean;
}

/** Connects with the driver that fits the server: MariaDB's and MySQL's catalogues differ, and each driver knows only its own. */
export async function connectDatabase(address: DatabaseAddress, options: DatabaseOptions): Promise<MikroORM> {
  const orm = await MikroORM.init(ormOptions(address, options, MySqlDriver));
  const version = await serverVersion(orm);
  await refuseWeakDurability(orm);
  if (!version.includes('MariaDB')) return orm;
  await orm.close();
  return MikroORM.init(ormOptions(address, options, MariaDbDriver as unknown as typeof MySqlDriver));
}

function ormOptions(address: DatabaseAddress, options: DatabaseOptions, driver: typeof MySqlDriver): Options {
  const where =
    'url' in address
      ? { clientUrl: address.url, driverOptions: OF_DRIVER }
      : { dbName: address.name, user: 'root', password: '', driverOptions: { socketPath: address.socketPath, ...OF_DRIVER } };
  return {
    ...where,
    driver,
    entities,
    extensions: [Migrator],
    charset: 'utf8mb4',
    collate: 'utf8mb4_bin',
    timezone: 'Z',
    logger: () => undefined,
    useBatchUpdates: options.useBatchUpdates ?? false,
    pool: { min: 0, max: options.poolMax },
    migrations: { migrationsList: migrations, tableName: 'migration', snapshot: false, transactional: true, allOrNothing: false },
    onCreateConnection: async (connection: unknown) => {
      for (const setting of SESSION_SETTINGS) await (connection as DatabaseConnection).executeQuery(CompiledQuery.raw(setting));
    },
  };
}

async function serverVersion(orm: MikroORM): Promise<string> {
  const [row] = await orm.em.getConnection().execute<{ version: string }[]>('select version() as version');
  return row?.version ?? '';
}

/** A commit that is acknowledged must survive the server: anything but 1 may lose the last second of payments. */
async function refuseWeakDurability(orm: MikroORM): Promise<void> {
  const [row] = await orm.em.getConnection().execute<{ flush: number }[]>('select @@innodb_flush_log_at_trx_commit as flush');
  if (row?.flush === 1) return;
  await orm.close();
  throw new Error(`The database has innodb_flush_log_at_trx_commit=${row?.flush}: an acknowledged payment could be lost. Set it to 1.`);
}
