import type { EntityManager } from '@mikro-orm/mysql';
import type { OwnQueuePolicy } from '../../domain/queue-policy.js';
import type { Place, QueuePlace, Sale } from '../../domain/queue.js';
import type { PassEnding } from '../../domain/states.js';
import { instantOf, type RawInstant } from '../clock.js';
import { Schedule } from '../entities/schedule.entity.js';

/** What outlives Redis of a queue: who was given a pass, and how it ended. */

/** Writes how a pass ended; a pass that ended before keeps its first ending. */
export async function endPass(em: EntityManager, { concertId, userId, place }: QueuePlace, endedBy: PassEnding): Promise<void> {
  await em.execute(
    'update queue_pass set ended_at = sysdate(3), ended_by = ? where concert_id = ? and user_id = ? and place = ? and ended_at is null',
    [endedBy, concertId, userId, place],
  );
}

/**
 * One statement for all. Given again after a crash a pass counts from now; one that was paid or left stays ended. A row that only time has
 * ended is of a place that still waited, because an admission was cut short.
 */
export async function givePasses(em: EntityManager, concertId: string, places: readonly Place[], passTtlMs: number): Promise<void> {
  const row = '(?, ?, ?, sysdate(3), sysdate(3) + interval ? microsecond)';
  await em.execute(
    `insert into queue_pass (concert_id, user_id, place, admitted_at, expires_at) values ${places.map(() => row).join(', ')}
     on duplicate key update
       expires_at = if(ended_by is null or ended_by = 'TIME', values(expires_at), expires_at),
       ended_at = if(ended_by is null or ended_by = 'TIME', null, ended_at),
       ended_by = if(ended_by = 'TIME', null, ended_by)`,
    places.flatMap(({ userId, place }) => [concertId, userId, place, passTtlMs * 1000]),
  );
}

/** Places that ended before their pass was handed over. */
export async function withdrawPasses(em: EntityManager, concertId: string, places: readonly Place[]): Promise<void> {
  for (const place of places) await endPass(em, { concertId, ...place }, 'LEFT');
}

/** Redis counts a pass from a moment later than its row, so a payment in between must still find the row open. */
const PASS_LAG_S = 1;

export async function overduePasses(em: EntityManager, most: number): Promise<QueuePlace[]> {
  const rows = await em.execute<{ concertId: string; userId: string; place: number | string }[]>(
    `select concert_id as concertId, user_id as userId, place from queue_pass
     where ended_at is null and expires_at <= sysdate(3) - interval ${PASS_LAG_S} second order by expires_at limit ?`,
    [most],
  );
  return rows.map((row) => ({ ...row, place: Number(row.place) }));
}

/** By their keys: a search in the statement itself would wait for rows that an admission or a payment is just writing. */
export async function endPassesByTime(em: EntityManager, passes: readonly QueuePlace[]): Promise<void> {
  await em.execute(
    `update queue_pass set ended_at = expires_at, ended_by = 'TIME'
     where ended_at is null and expires_at <= sysdate(3) and (${passes.map(() => '(concert_id = ? and user_id = ? and place = ?)').join(' or ')})`,
    passes.flatMap(({ concertId, userId, place }) => [concertId, userId, place]),
  );
}

/** Passes that a payment ended within the last minute, newest first. */
export async function lastPaidPasses(em: EntityManager, concertId: string, most: number): Promise<Place[]> {
  const rows = await em.execute<{ userId: string; place: number | string }[]>(
    `select user_id as userId, place from queue_pass
     where ended_at > sysdate(3) - interval 1 minute and ended_by = 'PAID' and concert_id = ? order by ended_at desc limit ?`,
    [concertId, most],
  );
  return rows.map(({ userId, place }) => ({ userId, place: Number(place) }));
}

/** The highest place that ever had a pass. */
export async function lastPlaceOf(em: EntityManager, concertId: string): Promise<number | null> {
  const [row] = await em.execute<{ place: number | string | null }[]>('select max(place) as place from queue_pass where concert_id = ?', [concertId]);
  return row?.place == null ? null : Number(row.place);
}

/** Deleted dates are no dates any more. */
const SALE_COLUMNS = `sysdate(3) as now, c.sale_opens_at as opensAt, c.sale_closes_at as closesAt,
  (select max(starts_at) from schedule where concert_id = c.id and deleted_at is null) as lastStartsAt`;
type SaleRow = { now: RawInstant; opensAt: RawInstant; closesAt: RawInstant | null; lastStartsAt: RawInstant | null };

const saleOfRow = ({ now, opensAt, closesAt, lastStartsAt }: SaleRow): Sale => ({
  now: instantOf(now),
  opensAt: instantOf(opensAt),
  closesAt: closesAt === null ? null : instantOf(closesAt),
  lastStartsAt: lastStartsAt === null ? null : instantOf(lastStartsAt),
});

export async function saleOf(em: EntityManager, concertId: string): Promise<Sale | null> {
  const [row] = await em.execute<SaleRow[]>(`select ${SALE_COLUMNS} from concert c where c.id = ?`, [concertId]);
  return row ? saleOfRow(row) : null;
}

export async function concertExists(em: EntityManager, concertId: string): Promise<boolean> {
  return (await em.execute('select 1 from concert where id = ?', [concertId])).length > 0;
}

export async function concertOfSchedule(em: EntityManager, scheduleId: string): Promise<string | null> {
  return (await em.findOne(Schedule, scheduleId))?.concertId ?? null;
}

/** What an admission needs to know of a concert now. */
export interface QueueFacts {
  sale: Sale;
  policy: OwnQueuePolicy;
  seatsMayRemain: boolean;
}

/** Seats of a date that has begun are not sold any more. */
export async function queueFactsOf(em: EntityManager, concertIds: readonly string[]): Promise<Map<string, QueueFacts>> {
  const rows = await em.execute<(SaleRow & Required<OwnQueuePolicy> & { id: string; seatsMayRemain: number })[]>(
    `select c.id, ${SALE_COLUMNS}, c.queue_admit_count as queueAdmitCount, c.queue_admit_interval_ms as queueAdmitIntervalMs,
       c.queue_active_max as queueActiveMax, exists (
         select 1 from schedule d join seat s on s.schedule_id = d.id
         where d.concert_id = c.id and d.starts_at > sysdate(3) and s.status in ('AVAILABLE', 'HELD')) as seatsMayRemain
     from concert c where c.id in (?)`,
    [concertIds],
  );
  return new Map(rows.map((row) => [row.id, { sale: saleOfRow(row), policy: row, seatsMayRemain: Number(row.seatsMayRemain) === 1 }]));
}
