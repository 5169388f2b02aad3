import type { Pool, PoolConnection, RowDataPacket } from 'mysql2/promise';
import { v7 as uuid } from 'uuid';

/** Reserves and pays of all requests that wait, in one transaction: one statement for each table, whatever their number. */

const TOGETHER_MAX = 128;
const HOLD_MS = 300_000;

interface Reserve {
  kind: 'reserve';
  userId: string;
  scheduleId: string;
  number: number;
}

interface Pay {
  kind: 'pay';
  userId: string;
  reservationId: string;
}

type Waiting = (Reserve | Pay) & { resolve(answer: object): void; reject(error: unknown): void };
type Of<Kind extends Waiting['kind']> = Extract<Waiting, { kind: Kind }>;

interface SeatRow extends RowDataPacket {
  id: string;
  schedule_id: string;
  number: number;
  grade: string;
  price: number;
  status: string;
  concert_id: string;
}

interface HeldRow extends RowDataPacket {
  id: string;
  user_id: string;
  schedule_id: string;
  number: number;
  total_price: number;
  status: string;
  balance: number;
}

const seatKeys = (seats: readonly { schedule_id: string; number: number }[], of = ''): [string, unknown[]] => [
  seats.map(() => `(${of}schedule_id = ? and ${of}number = ?)`).join(' or '),
  seats.flatMap(({ schedule_id, number }) => [schedule_id, number]),
];

export class SaleWriter {
  #waiting: Waiting[] = [];
  #writing = false;

  constructor(private readonly pool: Pool) {}

  reserve(userId: string, scheduleId: string, number: number): Promise<object> {
    return this.#add({ kind: 'reserve', userId, scheduleId, number });
  }

  pay(userId: string, reservationId: string): Promise<object> {
    return this.#add({ kind: 'pay', userId, reservationId });
  }

  #add(work: Reserve | Pay): Promise<object> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...work, resolve, reject });
      if (!this.#writing) void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, TOGETHER_MAX);
      const connection = await this.pool.getConnection();
      try {
        await connection.query('begin');
        const reserves = await reserveAll(connection, batch.filter((work) => work.kind === 'reserve'));
        const pays = await payAll(connection, batch.filter((work) => work.kind === 'pay'));
        await connection.query('commit');
        for (const [work, answer] of [...reserves, ...pays]) work.resolve(answer);
      } catch (error) {
        await connection.query('rollback');
        for (const work of batch) work.reject(error);
      } finally {
        connection.release();
      }
    }
    this.#writing = false;
  }
}

async function reserveAll(connection: PoolConnection, works: readonly Of<'reserve'>[]): Promise<Map<Waiting, object>> {
  const answers = new Map<Waiting, object>();
  if (works.length === 0) return answers;
  const [where, params] = seatKeys(works.map(({ scheduleId, number }) => ({ schedule_id: scheduleId, number })), 's.');
  const [rows] = await connection.query<SeatRow[]>(
    `select s.id, s.schedule_id, s.number, s.grade, s.price, s.status, d.concert_id from seat s join schedule d on d.id = s.schedule_id where ${where} order by s.schedule_id, s.number for update`,
    params,
  );
  const free = new Map(rows.filter(({ status }) => status === 'AVAILABLE').map((row) => [`${row.schedule_id} ${row.number}`, row]));
  const taken: { id: string; work: Of<'reserve'>; seat: SeatRow }[] = [];
  for (const work of works) {
    const key = `${work.scheduleId} ${work.number}`;
    const seat = free.get(key);
    free.delete(key);
    const id = uuid();
    answers.set(work, seat ? { reservationId: id, status: 'HELD' } : { refused: 'SeatsUnavailable' });
    if (seat) taken.push({ id, work, seat });
  }
  if (taken.length > 0) await writeReservations(connection, taken);
  return answers;
}

async function writeReservations(connection: PoolConnection, taken: readonly { id: string; work: Of<'reserve'>; seat: SeatRow }[]): Promise<void> {
  const now = new Date();
  const end = new Date(now.getTime() + HOLD_MS);
  await connection.query('insert into reservation (id, user_id, concert_id, schedule_id, status, seat_count, total_price, expires_at, created_at, updated_at) values ?', [
    taken.map(({ id, work, seat }) => [id, work.userId, seat.concert_id, work.scheduleId, 'HELD', 1, seat.price, end, now, now]),
  ]);
  await connection.query('insert into reservation_seat (reservation_id, number, seat_id, live_seat_id, grade, price) values ?', [
    taken.map(({ id, seat }) => [id, seat.number, seat.id, seat.id, seat.grade, seat.price]),
  ]);
  const values = taken.map((_, index) => (index === 0 ? 'select ? as schedule_id, ? as number, ? as reservation_id' : 'select ?, ?, ?')).join(' union all ');
  await connection.query(
    `update seat s join (${values}) v on v.schedule_id = s.schedule_id and v.number = s.number set s.status = 'HELD', s.reservation_id = v.reservation_id, s.held_until = ?, s.version = s.version + 1`,
    [...taken.flatMap(({ id, seat }) => [seat.schedule_id, seat.number, id]), end],
  );
}

async function payAll(connection: PoolConnection, works: readonly Of<'pay'>[]): Promise<Map<Waiting, object>> {
  const answers = new Map<Waiting, object>();
  if (works.length === 0) return answers;
  const [rows] = await connection.query<HeldRow[]>(
    `select r.id, r.user_id, r.schedule_id, s.number, r.total_price, r.status, w.balance from reservation r
     join reservation_seat s on s.reservation_id = r.id join wallet w on w.user_id = r.user_id where r.id in (?) order by r.id for update`,
    [works.map(({ reservationId }) => reservationId)],
  );
  const held = new Map(rows.map((row) => [row.id, row]));
  const paid: HeldRow[] = [];
  for (const work of works) {
    const row = held.get(work.reservationId);
    held.delete(work.reservationId);
    const payable = row?.status === 'HELD' && row.user_id === work.userId && row.balance >= row.total_price;
    if (payable) paid.push(row);
    answers.set(work, payable ? { status: 'PAID', balance: row.balance - row.total_price } : { refused: 'NotPayable' });
  }
  if (paid.length > 0) await writePayments(connection, paid);
  return answers;
}

async function writePayments(connection: PoolConnection, paid: readonly HeldRow[]): Promise<void> {
  const now = new Date();
  const payments = paid.map((row) => ({ id: uuid(), row, balance: row.balance - row.total_price }));
  const users = paid.map(({ user_id }) => user_id);
  await connection.query('update wallet w join reservation r on r.user_id = w.user_id set w.balance = w.balance - r.total_price, w.version = w.version + 1 where w.user_id in (?) and r.id in (?)', [users, paid.map(({ id }) => id)]);
  await connection.query("update reservation set status = 'CONFIRMED', updated_at = ? where id in (?)", [now, paid.map(({ id }) => id)]);
  const [where, params] = seatKeys(paid);
  await connection.query(`update seat set status = 'SOLD', held_until = null, version = version + 1 where ${where}`, params);
  await connection.query('insert into payment (id, reservation_id, user_id, status, amount, balance, paid_at) values ?', [
    payments.map(({ id, row, balance }) => [id, row.id, row.user_id, 'PAID', row.total_price, balance, now]),
  ]);
  await connection.query('insert into ledger_entry (user_id, kind, amount, balance_after, source_id, created_at) values ?', [
    payments.map(({ id, row, balance }) => [row.user_id, 'PAYMENT', -row.total_price, balance, id, now]),
  ]);
}
