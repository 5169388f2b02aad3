import type { MikroORM } from '@mikro-orm/mysql';
import { createConnection, type Connection, type ConnectionOptions, type PoolConnection } from 'mysql2';
import { afterTurns, remainingMs } from '../domain/deadline.js';

/**
 * Nobody waits for a database that is silent: a statement without an answer is given up together with its connection unless the server says that it
 * still runs it, a connection that lay idle is asked for a sign of life before it is used, and who waits for one is let go when its time is over.
 */

/** So long a statement of a request may take before the server is asked whether it still runs it, and so long that question may take. */
export const STATEMENT_PATIENCE_MS = 3000;
const STILL_RUNNING_PATIENCE_MS = 1000;
/** The same for jobs, seeds and commands, for whom nobody waits. */
const WORK_STATEMENT_PATIENCE_MS = 5000;
const WORK_STILL_RUNNING_PATIENCE_MS = 3000;
/** A connection that answered a moment ago is taken as it is. */
const IDLE_TRUSTED_MS = 1000;
/** Less than it takes to count as silent, so that a dead connection is no reason to think so. */
const PING_PATIENCE_MS = 500;
/** A job waits this long for a connection; a request until its deadline. */
const POOL_PATIENCE_MS = 15_000;

/** What is known of the database from its answers, and from their absence. */
export class DatabaseSigns {
  #away = false;
  #answeredAt = -Infinity;

  get away(): boolean {
    return this.#away;
  }

  answered(): void {
    this.#away = false;
    this.#answeredAt = performance.now();
  }

  missing(): void {
    this.#away = true;
  }

  /** Any answer to anybody: a slow database is not a silent one. */
  answeredWithin(ms: number): boolean {
    return performance.now() - this.#answeredAt < ms;
  }
}

/** Whether it happened is known to nobody: never tried again here. */
class NoAnswerFromDatabase extends Error {
  readonly code = 'ETIMEDOUT';
  readonly fatal = true;
}

/** Nothing was sent. */
class NoConnectionInTime extends Error {
  readonly code = 'POOL_WAIT_OVER';
}

type Done = (error: unknown, connection?: PoolConnection) => void;
type Answer = (error: (Error & { fatal?: boolean }) | null, ...rest: unknown[]) => void;
interface Pool {
  getConnection(done: Done): void;
  on(event: 'connection', listener: (connection: PoolConnection) => void): void;
  config: { connectionConfig: ConnectionOptions };
  _freeConnections: { length: number; get(index: number): PooledConnection | undefined };
}
type PooledConnection = PoolConnection & { lastActiveTime: number; stream: { destroy(): void } };

/** From here on; what the pool has done before, such as migrations, was not watched. `waited` is told how long each one waited for its connection. */
export async function watchPool(orm: MikroORM, signs: DatabaseSigns, waited: (seconds: number) => void): Promise<void> {
  const pool = (await orm.em.getConnection().getNativeClient()) as unknown as Pool;
  const watched = new WeakSet<PoolConnection>();
  const watch = (connection: PoolConnection): void => {
    if (watched.has(connection)) return;
    watched.add(connection);
    watchStatements(connection, pool, signs);
  };
  const acquire = pool.getConnection.bind(pool);
  const waiting = new WeakSet<Done>();
  const next = (done: Done): void => {
    const acquired: Done = (error, connection) => {
      if (error || !connection) {
        if (isLost(error)) signs.missing();
        return done(new Error('There is no connection to the database.', { cause: error }));
      }
      watch(connection);
      void isAlive(connection as PooledConnection, signs).then((alive) => {
        if (alive) return done(null, connection);
        dropIdle(pool, connection as PooledConnection);
        next(done);
      });
    };
    waiting.add(acquired);
    acquire(acquired);
  };
  pool.getConnection = (done) => {
    // The pool itself asks again for one who waits when a connection goes: the deadline known here is then that of whoever used the connection.
    if (waiting.has(done)) return acquire(done);
    const asked = performance.now();
    waitAtMost(Math.min(remainingMs(), POOL_PATIENCE_MS), next, (error, connection) => {
      waited((performance.now() - asked) / 1000);
      done(error, connection);
    });
  };
}

/** One whose time is over is told so at once; a connection that then comes goes to the next. */
function waitAtMost(ms: number, acquire: (done: Done) => void, done: Done): void {
  let over = false;
  const tooLate = (): void => {
    over = true;
    done(new NoConnectionInTime('No connection to the database was free in time.'));
  };
  if (ms <= 0) return void process.nextTick(tooLate);
  const timer = setTimeout(tooLate, ms);
  acquire((error, connection) => {
    clearTimeout(timer);
    if (over) return void connection?.release();
    done(error, connection);
  });
}

function isAlive(connection: PooledConnection, signs: DatabaseSigns): Promise<boolean> {
  if (Date.now() - connection.lastActiveTime < IDLE_TRUSTED_MS) return Promise.resolve(true);
  return new Promise((resolve) => {
    const settle = (alive: boolean): void => {
      stop();
      // One that is dead says nothing of the others.
      if (alive) signs.answered();
      resolve(alive);
    };
    const stop = afterTurns(PING_PATIENCE_MS, () => settle(false));
    connection.ping((error) => settle(!error));
  });
}

/** With one that is dead, those that lay idle at least as long are not worth asking. */
function dropIdle(pool: Pool, dead: PooledConnection): void {
  const idle = Array.from({ length: pool._freeConnections.length }, (_, index) => pool._freeConnections.get(index)!);
  for (const connection of [dead, ...idle.filter(({ lastActiveTime }) => lastActiveTime <= dead.lastActiveTime)]) drop(connection);
}

/** Its socket too: one that only says good-bye waits for the other side. */
function drop(connection: PooledConnection): void {
  connection.destroy();
  connection.stream.destroy();
}

function watchStatements(connection: PoolConnection, pool: Pool, signs: DatabaseSigns): void {
  const send = connection.query.bind(connection) as (...args: unknown[]) => unknown;
  connection.query = ((...args: unknown[]) => {
    const answer = args.at(-1);
    if (typeof answer !== 'function') return send(...args);
    let stop = (): void => undefined;
    let settled = false;
    const settle: Answer = (error, ...rest) => {
      if (settled) return;
      settled = true;
      stop();
      if (error && isLost(error)) signs.missing();
      else signs.answered();
      (answer as Answer)(error, ...rest);
    };
    const [patience, askPatience] = isFinite(remainingMs())
      ? [STATEMENT_PATIENCE_MS, STILL_RUNNING_PATIENCE_MS]
      : [WORK_STATEMENT_PATIENCE_MS, WORK_STILL_RUNNING_PATIENCE_MS];
    const wait = (): void => {
      stop = afterTurns(patience, async () => {
        const runs = await stillRuns(pool.config.connectionConfig, connection.threadId, askPatience);
        if (settled) return;
        if (runs) return wait();
        drop(connection as PooledConnection);
        settle(new NoAnswerFromDatabase('The database does not answer.'));
      });
    };
    wait();
    return send(...args.slice(0, -1), settle);
  }) as typeof connection.query;
}

/** Asked over a connection of its own: a long statement is not a lost one. */
async function stillRuns(options: ConnectionOptions, threadId: number | null, patienceMs: number): Promise<boolean> {
  const { socketPath, host, port, user, password, database, ssl } = options;
  const asking: Connection = createConnection({ socketPath, host, port, user, password, database, ssl, connectTimeout: 2 * patienceMs } as ConnectionOptions);
  return new Promise<boolean>((resolve) => {
    const settle = (runs: boolean): void => {
      stop();
      drop(asking as unknown as PooledConnection);
      resolve(runs);
    };
    const stop = afterTurns(patienceMs, () => settle(false));
    asking.on('error', (error) => settle(isFull(error)));
    asking.query("select 1 as runs from information_schema.processlist where id = ? and command not in ('Sleep', 'Killed')", [threadId], (error, rows) => {
      settle(error ? isFull(error) : (rows as unknown[]).length > 0);
    });
  });
}

/** A server that has no connection left for the question has answered: it is not silent. */
const NO_CONNECTION_LEFT = new Set([1040, 1203, 1226]);
const isFull = (error: unknown): boolean => NO_CONNECTION_LEFT.has((error as { errno?: number }).errno ?? 0);

/** The connection is gone or never came, which says more than an answer that is an error. */
function isLost(error: unknown): boolean {
  const { fatal, syscall } = (error ?? {}) as { fatal?: boolean; syscall?: string };
  return fatal === true || syscall === 'connect';
}
