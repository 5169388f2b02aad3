import { createPool, type Pool, type PoolConnection, type PoolOptions } from 'mysql2/promise';

/** As Frontrow's connections. */
const SESSION = ["set session time_zone = '+00:00'", 'set session transaction isolation level read committed', 'set session innodb_lock_wait_timeout = 2'];

/** A pool that knows how many of its connections were ever needed at once. */
export class Connections {
  readonly #pool: Pool;
  #held = 0;
  heldMax = 0;

  constructor(where: PoolOptions, max: number) {
    this.#pool = createPool({ ...where, connectionLimit: max, timezone: 'Z' });
    this.#pool.pool.on('connection', (connection) => {
      for (const setting of SESSION) connection.query(setting);
    });
  }

  /** In a transaction, which is rolled back where the work throws or answers `false` in its first place. */
  async transaction<T>(work: (db: PoolConnection) => Promise<{ commit: boolean; answer: T }>, begin = 'begin'): Promise<T> {
    const db = await this.#pool.getConnection();
    this.heldMax = Math.max(this.heldMax, (this.#held += 1));
    try {
      for (const statement of begin.split(';')) await db.query(statement);
      const { commit, answer } = await work(db);
      await db.query(commit ? 'commit' : 'rollback');
      return answer;
    } catch (error) {
      await db.query('rollback');
      throw error;
    } finally {
      this.#held -= 1;
      db.release();
    }
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}
