import type { PoolConnection, ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import { v7 as uuid } from 'uuid';
import { idOf } from '../support/ids.js';
import { PRICE } from '../support/rows.js';
import type { Connections } from './connections.js';

/** One way to give a seat to one of many who want it. */
export interface Strategy {
  buy(wish: Wish): Promise<Answer>;
  close(): Promise<void>;
}

export interface Wish {
  /** Users, dates and seats by their number. */
  buyer: number;
  date: number;
  seat: number;
}

export type Answer = 'HELD' | 'REFUSED';

/** What it costs beside time. */
export interface Tally {
  retries: number;
}

export interface Tools {
  connections: Connections;
  redis: string;
  tally: Tally;
}

const HOLD_MS = 300_000;
/** Further tries are no way to sell a seat. */
const TRIES_MAX = 1000;

export interface FoundSeat {
  id: string;
  status: string;
  version: number;
}

export async function readSeat(db: PoolConnection, { date, seat }: Wish, lock: '' | 'for update' = ''): Promise<FoundSeat> {
  const [rows] = await db.execute<(FoundSeat & RowDataPacket)[]>(`select id, status, version from seat where schedule_id = ? and number = ? ${lock}`, [idOf('schedule', date), seat]);
  return rows[0]!;
}

/** Whether the row was changed; `version` is the one that was read, where it matters. */
export async function takeSeat(db: PoolConnection, { date, seat }: Wish, reservationId: string, version?: number): Promise<boolean> {
  const [{ affectedRows }] = await db.execute<ResultSetHeader>(
    `update seat set status = 'HELD', reservation_id = ?, held_until = ?, version = version + 1 where schedule_id = ? and number = ? ${version === undefined ? '' : 'and version = ?'}`,
    [reservationId, new Date(Date.now() + HOLD_MS), idOf('schedule', date), seat, ...(version === undefined ? [] : [version])],
  );
  return affectedRows === 1;
}

/** What every strategy writes of a hold, and no more: Frontrow's own writes the user's quota besides. `live` is null where no unique key watches. */
export async function writeHold(db: PoolConnection, { buyer, date, seat }: Wish, id: string, seatId: string, live: string | null): Promise<void> {
  const [user, concert, schedule, now] = [idOf('user', buyer), idOf('concert', date), idOf('schedule', date), new Date()];
  await db.execute('insert into reservation_seat values (?, ?, ?, ?, ?, ?)', [id, seat, seatId, live, 'R', PRICE]);
  const expiresAt = new Date(now.getTime() + HOLD_MS);
  await db.execute("insert into reservation values (?, ?, ?, ?, 'HELD', 1, ?, ?, ?, ?)", [id, user, concert, schedule, PRICE, expiresAt, now, now]);
  await db.execute('insert into outbox_event (event_id, type, user_id, concert_id, reservation_id, payload, occurred_at) values (?, ?, ?, ?, ?, ?, ?)', [
    uuid(), 'RESERVATION_HELD', user, concert, id, JSON.stringify({ version: 1, scheduleId: schedule, seatNumbers: [seat], totalPrice: PRICE, expiresAt }), now,
  ]);
}

/** One more try after each answer that is none. */
export async function untilAnswered(tally: Tally, attempt: () => Promise<Answer | 'AGAIN'>): Promise<Answer> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const answer = await attempt();
    if (answer !== 'AGAIN') return answer;
    tally.retries += 1;
  }
  throw new Error(`No answer after ${TRIES_MAX} tries.`);
}

const [DEADLOCK, LOCK_WAIT_TIMEOUT, SNAPSHOT_CONFLICT] = [1213, 1205, 1020];
export const DUPLICATE_KEY = 1062;
export const errnoOf = (error: unknown): number | undefined => (error as { errno?: number }).errno;
export const isConflict = (error: unknown): boolean => [DEADLOCK, LOCK_WAIT_TIMEOUT, SNAPSHOT_CONFLICT].includes(errnoOf(error) ?? 0);
