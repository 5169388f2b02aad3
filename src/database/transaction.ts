import type { EntityManager, MikroORM } from '@mikro-orm/mysql';
import { OptimisticLockError } from '@mikro-orm/mysql';
import { setTimeout as delay } from 'node:timers/promises';
import { remainingMs } from '../domain/deadline.js';
import { BriefTransaction } from './brief-transaction.js';
import { LOCK_WAIT_TIMEOUT_S } from './orm.config.js';
import { toldSomething } from './repositories/outbox.repository.js';
import { OTHER_ROWS_ERRNO } from './together.js';

/** How often a transaction is tried at most, after errors of which reasons, and how long its caller must still wait for another try to be worth it. */
interface Tries {
  max: number;
  after: ReadonlySet<string>;
  worthMs: number;
}
const BACKOFF_STEP_MS = 5;

const LOCK_WAIT_TIMEOUT = '1205';
const DEADLOCK = '1213';
const SNAPSHOT_CONFLICT = '1020';
const VERSION = 'version';
/** The whole transaction was, or must be, rolled back and may be run again. The next try may wait for a lock as long as this one did. */
const PATIENTLY: Tries = { max: 8, after: new Set([LOCK_WAIT_TIMEOUT, DEADLOCK, SNAPSHOT_CONFLICT, VERSION]), worthMs: LOCK_WAIT_TIMEOUT_S * 1000 };
/** For many that share one: after a deadlock whoever was in the way is through, and they wait for nobody; but another try at rows that somebody keeps would keep all of them. */
export const ONCE_MORE_AFTER_A_DEADLOCK: Tries = { max: 2, after: new Set([DEADLOCK]), worthMs: 1 };

/** A statement that was given only so long to get its locks. */
const CUT_SHORT_ERRNO = 1969;

/** errno of the driver's error, wherever MikroORM has wrapped it. */
export function errnoOf(error: unknown): number | undefined {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if ('errno' in cause && typeof cause.errno === 'number') return cause.errno;
  }
  return undefined;
}

const DUPLICATE_KEY = 1062;
export const isDuplicateKey = (error: unknown, keyName?: string): boolean =>
  errnoOf(error) === DUPLICATE_KEY && (keyName === undefined || (error as Error).message.includes(keyName));

const reasonOf = (error: unknown): string => {
  const errno = errnoOf(error);
  return error instanceof OptimisticLockError || errno === OTHER_ROWS_ERRNO ? VERSION : String(errno);
};

export const isRetried = (error: unknown): boolean => PATIENTLY.after.has(reasonOf(error));

/** Another try is with who gave it so little time. */
export const wasCutShort = (error: unknown): boolean => errnoOf(error) === CUT_SHORT_ERRNO;

/** Rows are not what their locks promised: nothing of it may be committed. */
export class RowsChanged extends Error {
  override readonly name = 'RowsChanged';
}

/** Surely nothing was committed: the server said no, or this process did before the commit. A lost connection says neither. */
export const wasRolledBack = (error: unknown): boolean => (errnoOf(error) ?? 0) > 0 || error instanceof OptimisticLockError || error instanceof RowsChanged;

export class Transactions {
  constructor(
    private readonly orm: MikroORM,
    private readonly onRetry: (reason: string) => void,
    /** After a commit that tells other systems of something. Keeps nobody, fails nobody. */
    private readonly onTold: () => void = () => undefined,
  ) {}

  /**
   * Runs `work` in a transaction on an EntityManager of its own, and the whole of it again, bounded, after a deadlock, a lock timeout,
   * a snapshot conflict or a stale version, while its caller still waits. A dropped connection is not retried: the commit may have happened.
   */
  run<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    return this.again(PATIENTLY, (em, told) =>
      em.transactional(async (inner) => {
        const done = await work(inner);
        if (toldSomething(inner)) told();
        return done;
      }),
    );
  }

  /** The same with statements of one's own in as few messages as there can be: without a unit of work, and without messages that only begin or commit. */
  runBriefly<T>(work: (transaction: BriefTransaction) => Promise<T>, tries = PATIENTLY): Promise<T> {
    return this.again(tries, (em, told) =>
      em.getConnection().getClient().connection().execute(async (connection) => {
        em.setTransactionContext(connection);
        try {
          const transaction = new BriefTransaction(em);
          const done = await work(transaction);
          await transaction.commit();
          if (toldSomething(em)) told();
          return done;
        } catch (error) {
          // Why it failed is what matters; a connection that is gone has rolled back by itself.
          await em.execute('rollback').catch(() => undefined);
          throw errnoOf(error) === OTHER_ROWS_ERRNO ? new RowsChanged('Not all rows were as they had been read.', { cause: error }) : error;
        }
      }),
    );
  }

  /** The only place where a transaction is tried again. */
  private async again<T>({ max, after, worthMs }: Tries, once: (em: EntityManager, told: () => void) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        let told = false;
        const result = await once(this.orm.em.fork(), () => (told = true));
        if (told) this.onTold();
        return result;
      } catch (error) {
        const reason = reasonOf(error);
        if (!after.has(reason) || attempt === max || remainingMs() < worthMs) throw error;
        this.onRetry(reason);
        await delay(Math.random() * BACKOFF_STEP_MS * 2 ** attempt);
      }
    }
  }

  /** A fresh EntityManager for reads outside a transaction. */
  fork(): EntityManager {
    return this.orm.em.fork();
  }
}
