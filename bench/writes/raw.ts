import { createPool, type Pool, type PoolConnection, type RowDataPacket } from 'mysql2/promise';
import { v7 as uuid } from 'uuid';
import { idOf } from '../support/ids.js';
import { PRICE } from '../support/rows.js';
import type { Act, Burst } from '../support/burst.js';

/**
 * The same rows by prepared statements of mysql2, one transaction for each request: what somebody writes who leaves every library out. It takes the locks that
 * Frontrow takes and judges what Frontrow judges, in as few round trips as single-row statements allow.
 */

const HOLD_MS = 300_000;
/** More help it as little as fewer. */
const CONNECTIONS_MAX = 64;

/** As Frontrow's connections. */
const SESSION = ["set session time_zone = '+00:00'", 'set session transaction isolation level read committed'];

export class RawWriter {
  readonly #pools = new Map<number, Pool>();
  /** By concert and user: what was reserved, to be paid. */
  readonly #reserved = new Map<string, string>();

  constructor(private readonly url: string) {}

  /** The work of user `index + 1`. */
  prepare(act: Act, { concert, concurrency }: Burst): Promise<(index: number) => Promise<void>> {
    const pool = this.#poolOf(Math.min(concurrency, CONNECTIONS_MAX));
    const write = { reserve: this.#reserve, pay: this.#pay, charge: this.#charge }[act].bind(this);
    return Promise.resolve(async (index) => {
      const connection = await pool.getConnection();
      try {
        await connection.query('begin');
        await write(connection, concert, index + 1);
        await connection.query('commit');
      } catch (error) {
        await connection.query('rollback');
        throw error;
      } finally {
        connection.release();
      }
    });
  }

  #poolOf(connections: number): Pool {
    const known = this.#pools.get(connections);
    if (known) return known;
    const pool = createPool({ uri: this.url, connectionLimit: connections, timezone: 'Z' });
    pool.pool.on('connection', (connection) => {
      for (const setting of SESSION) connection.query(setting);
    });
    this.#pools.set(connections, pool);
    return pool;
  }

  async #reserve(db: PoolConnection, concert: number, n: number): Promise<void> {
    const [concertId, scheduleId, userId, id] = [idOf('concert', concert), idOf('schedule', concert), idOf('user', n), uuid()];
    const [date] = await rows(db, `select starts_at, cancelled_at, deleted_at, sysdate(3) as now, (select sale_opens_at from concert where id = concert_id) as opensAt from schedule where id = ? lock in share mode`, [scheduleId]);
    await db.execute('insert into reservation_quota (user_id, concert_id) values (?, ?) on duplicate key update user_id = user_id', [userId, concertId]);
    const own = await rows(db, "select * from reservation where user_id = ? and concert_id = ? and status in ('HELD', 'CONFIRMED') order by id for update", [userId, concertId]);
    const [seat] = await rows(db, 'select * from seat where schedule_id = ? and number = ? for update', [scheduleId, n]);
    if (seat?.['status'] !== 'AVAILABLE' || date?.['cancelled_at'] || date!['opensAt'] > date!['now'] || own.length >= 4) throw new Error('refused');
    const now = date!['now'] as Date;
    const expiresAt = new Date(now.getTime() + HOLD_MS);
    await db.execute("update seat set status = 'HELD', reservation_id = ?, held_until = ?, version = version + 1 where schedule_id = ? and number = ? and status = 'AVAILABLE'", [id, expiresAt, scheduleId, n]);
    await db.execute("insert into reservation values (?, ?, ?, ?, 'HELD', 1, ?, ?, ?, ?)", [id, userId, concertId, scheduleId, PRICE, expiresAt, now, now]);
    await db.execute('insert into reservation_seat values (?, ?, ?, ?, ?, ?)', [id, n, seat['id'], seat['id'], 'R', PRICE]);
    const payload = { version: 1, scheduleId, seatNumbers: [n], totalPrice: PRICE, expiresAt };
    await tell(db, 'RESERVATION_HELD', userId, concertId, id, payload, now);
    this.#reserved.set(`${concert} ${n}`, id);
  }

  async #pay(db: PoolConnection, concert: number, n: number): Promise<void> {
    const [concertId, scheduleId, userId, id, paymentId] = [idOf('concert', concert), idOf('schedule', concert), idOf('user', n), this.#reserved.get(`${concert} ${n}`)!, uuid()];
    const [date] = await rows(db, 'select starts_at, cancelled_at from schedule where id = ? lock in share mode', [scheduleId]);
    const [wallet] = await rows(db, 'select balance, version from wallet where user_id = ? for update', [userId]);
    const [reservation] = await rows(db, 'select *, sysdate(3) as now from reservation where id = ? for update', [id]);
    const now = reservation!['now'] as Date;
    if (reservation!['status'] !== 'HELD' || reservation!['expires_at'] <= now || date!['cancelled_at'] || Number(wallet!['balance']) < PRICE) throw new Error('refused');
    const balance = Number(wallet!['balance']) - PRICE;
    await db.execute('update wallet set balance = ?, version = version + 1 where user_id = ? and version = ?', [balance, userId, wallet!['version']]);
    await moveMoney(db, userId, 'PAYMENT', -PRICE, balance, paymentId, now);
    await db.execute("update reservation set status = 'CONFIRMED', updated_at = ? where id = ?", [now, id]);
    await db.execute("insert into payment values (?, ?, ?, 'PAID', ?, ?, ?, null)", [paymentId, id, userId, PRICE, balance, now]);
    const seats = await rows(db, 'select number from reservation_seat where reservation_id = ? order by number', [id]);
    await db.execute("update seat set status = 'SOLD', held_until = null, version = version + 1 where schedule_id = ? and number = ? and reservation_id = ? and status = 'HELD'", [scheduleId, seats[0]!['number'], id]);
    await db.execute("update queue_pass set ended_at = sysdate(3), ended_by = 'PAID' where concert_id = ? and user_id = ? and place = ? and ended_at is null and admitted_at is not null", [concertId, userId, n]);
    await tell(db, 'PAYMENT_MADE', userId, concertId, id, { version: 1, paymentId, amount: PRICE, scheduleId, seatNumbers: [n] }, now);
  }

  async #charge(db: PoolConnection, concert: number, n: number): Promise<void> {
    const [userId, id, key, amount] = [idOf('user', n), uuid(), `raw ${concert}.`, 1000];
    const [wallet] = await rows(db, 'select balance, version, sysdate(3) as now from wallet where user_id = ? for update', [userId]);
    const earlier = await rows(db, 'select * from charge where user_id = ? and idempotency_key = ?', [userId, key]);
    if (earlier.length > 0) throw new Error('refused');
    const [balance, now] = [Number(wallet!['balance']) + amount, wallet!['now'] as Date];
    await db.execute('update wallet set balance = ?, version = version + 1 where user_id = ? and version = ?', [balance, userId, wallet!['version']]);
    await moveMoney(db, userId, 'CHARGE', amount, balance, id, now);
    await db.execute('insert into charge values (?, ?, ?, ?, ?, ?)', [id, userId, key, amount, balance, now]);
    await tell(db, 'CHARGE_MADE', userId, null, null, { version: 1, chargeId: id, amount }, now);
  }
}

type Value = string | number | Date | null;

const rows = async (db: PoolConnection, sql: string, params: Value[]): Promise<RowDataPacket[]> => (await db.execute<RowDataPacket[]>(sql, params))[0];

async function moveMoney(db: PoolConnection, userId: string, kind: string, amount: number, balance: number, sourceId: string, at: Date): Promise<void> {
  await db.execute('insert into ledger_entry (user_id, kind, amount, balance_after, source_id, created_at) values (?, ?, ?, ?, ?, ?)', [userId, kind, amount, balance, sourceId, at]);
}

async function tell(db: PoolConnection, type: string, userId: string, concertId: string | null, reservationId: string | null, payload: object, at: Date): Promise<void> {
  await db.execute('insert into outbox_event (event_id, type, user_id, concert_id, reservation_id, payload, occurred_at) values (?, ?, ?, ?, ?, ?, ?)', [
    uuid(), type, userId, concertId, reservationId, JSON.stringify(payload), at,
  ]);
}
