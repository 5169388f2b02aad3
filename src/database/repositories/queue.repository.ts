import type { EntityManager } from '@mikro-orm/mysql';
import type { OwnQueuePolicy } from '../../domain/queue-policy.js';
import type { Place, QueuePlace, Sale } from '../../domain/queue.js';
import type { PassEnding, SeatStatus } from '../../domain/states.js';
import { instantOf, type RawInstant } from '../clock.js';
import type { Asked } from '../together.js';

/** What outlives Redis of a queue: who was given a pass, and how it ended. */

const NAMED = '(concert_id = ? and user_id = ? and place = ?)';
const namesOf = (places: readonly QueuePlace[]): unknown[] => places.flatMap(({ concertId, userId, place }) => [concertId, userId, place]);
const anyOf = (places: readonly unknown[]): string => Array(places.length).fill(NAMED).join(' or ');

/**
 * Writes how passes ended; a pass that ended before keeps its first ending. A payment while the place still waits ends nothing: its row, if
 * there is one already, is of a pass that is only about to be given.
 */
export async function endPasses(em: EntityManager, places: readonly QueuePlace[], endedBy: PassEnding): Promise<void> {
  const { sql, params } = endingPasses(places, endedBy);
  if (sql !== '') await em.execute(sql, [...params]);
}

/** The same as a statement; `patience` is how a row that somebody else has locked is waited for. */
export const endingPasses = (places: readonly QueuePlace[], endedBy: PassEnding, patience = ''): Asked<void> => ({
  sql:
    places.length === 0
      ? ''
      : `${patience}update queue_pass force index (primary) set ended_at = sysdate(3), ended_by = ? where ended_at is null and (${anyOf(places)})
         ${endedBy === 'PAID' ? 'and admitted_at is not null' : ''}`,
  params: [endedBy, ...namesOf(places)],
  read: () => undefined,
});

/**
 * One statement for all. A pass that was not handed over, because an admission was cut short, counts from now, also if time has ended its row: its place
 * still waited. One that was handed over before stays as it is.
 */
export async function givePasses(em: EntityManager, concertId: string, places: readonly Place[], passTtlMs: number): Promise<void> {
  const row = '(?, ?, ?, sysdate(3) + interval ? microsecond)';
  await em.execute(
    `insert into queue_pass (concert_id, user_id, place, expires_at) values ${places.map(() => row).join(', ')}
     on duplicate key update
       expires_at = if(admitted_at is null and (ended_by is null or ended_by = 'TIME'), values(expires_at), expires_at),
       ended_at = if(admitted_at is null and (ended_by is null or ended_by = 'TIME'), null, ended_at),
       ended_by = if(admitted_at is null and ended_by = 'TIME', null, ended_by)`,
    places.flatMap(({ userId, place }) => [concertId, userId, place, passTtlMs * 1000]),
  );
}

/**
 * The passes that were handed over; `epoch` is one in which Redis had them, null where that is not known. `room` is known where they were handed over just
 * now: how many were active then, and might be.
 */
export async function notePassesGiven(
  em: EntityManager,
  concertId: string,
  places: readonly Place[],
  epoch: number | null,
  room?: { active: number; activeMax: number },
): Promise<void> {
  await em.execute(
    `update queue_pass set admitted_at = sysdate(3), admitted_epoch = ?, active_count = ?, active_max = ?
     where concert_id = ? and admitted_at is null and (${places.map(() => '(user_id = ? and place = ?)').join(' or ')})`,
    [epoch, room?.active ?? null, room?.activeMax ?? null, concertId, ...places.flatMap(({ userId, place }) => [userId, place])],
  );
}

/** Places that ended before their pass was handed over. */
export async function withdrawPasses(em: EntityManager, concertId: string, places: readonly Place[]): Promise<void> {
  await endPasses(em, places.map((place) => ({ concertId, ...place })), 'LEFT');
}

/** Redis counts a pass from a moment later than its row, so a payment in between must still find the row open. */
const PASS_LAG_S = 1;

/** Passes to be judged again by what ends them. */
export async function overduePasses(em: EntityManager, most: number): Promise<QueuePlace[]> {
  const rows = await em.execute<{ concertId: string; userId: string; place: number | string }[]>(
    `select concert_id as concertId, user_id as userId, place from queue_pass
     where ended_at is null and expires_at <= now(3) - interval ${PASS_LAG_S} second order by expires_at limit ?`,
    [most],
  );
  return rows.map((row) => ({ ...row, place: Number(row.place) }));
}

/** By their keys: a search in the statement itself would wait for rows that an admission or a payment is just writing. */
export async function endPassesByTime(em: EntityManager, passes: readonly QueuePlace[]): Promise<void> {
  await em.execute(
    `update queue_pass set ended_at = expires_at, ended_by = 'TIME'
     where ended_at is null and expires_at <= sysdate(3) and (${anyOf(passes)})`,
    namesOf(passes),
  );
}

/** Of these users, the passes that a payment ended, whenever that was. */
export async function paidPassesOf(em: EntityManager, concertId: string, userIds: readonly string[]): Promise<Place[]> {
  const rows = await em.execute<{ userId: string; place: number | string }[]>(
    "select user_id as userId, place from queue_pass where concert_id = ? and user_id in (?) and ended_by = 'PAID'",
    [concertId, userIds],
  );
  return rows.map(({ userId, place }) => ({ userId, place: Number(place) }));
}

/** Those of the places whose pass was never noted as handed over. Only read: what others are ending just now is not waited for. */
export async function unnotedPassesOf(em: EntityManager, concertId: string, places: readonly Place[]): Promise<Place[]> {
  const rows = await em.execute<{ userId: string; place: number | string }[]>(
    'select user_id as userId, place from queue_pass where concert_id = ? and user_id in (?) and admitted_at is null and ended_at is null',
    [concertId, places.map(({ userId }) => userId)],
  );
  const unnoted = new Set(rows.map(({ userId, place }) => `${userId} ${place}`));
  return places.filter(({ userId, place }) => unnoted.has(`${userId} ${place}`));
}

/** Deleted dates are no dates any more; what is sold of a cancelled one ends with its cancellation. */
const SALE_COLUMNS = `sysdate(3) as now, c.sale_opens_at as opensAt, c.sale_closes_at as closesAt,
  (select max(coalesce(least(starts_at, cancelled_at), starts_at)) from schedule where concert_id = c.id and deleted_at is null) as lastStartsAt`;
type SaleRow = { now: RawInstant; opensAt: RawInstant; closesAt: RawInstant | null; lastStartsAt: RawInstant | null };

const saleOfRow = ({ now, opensAt, closesAt, lastStartsAt }: SaleRow): Sale => ({
  now: instantOf(now),
  opensAt: instantOf(opensAt),
  closesAt: closesAt === null ? null : instantOf(closesAt),
  lastStartsAt: lastStartsAt === null ? null : instantOf(lastStartsAt),
});

/** By concert; without those that are not there. */
export async function salesOf(em: EntityManager, concertIds: readonly string[]): Promise<Map<string, Sale>> {
  const rows = await em.execute<(SaleRow & { id: string })[]>(`select c.id, ${SALE_COLUMNS} from concert c where c.id in (?)`, [concertIds]);
  return new Map(rows.map((row) => [row.id, saleOfRow(row)]));
}

export async function concertExists(em: EntityManager, concertId: string): Promise<boolean> {
  return (await em.execute('select 1 from concert where id = ?', [concertId])).length > 0;
}

export async function concertOfSchedule(em: EntityManager, scheduleId: string): Promise<string | null> {
  const [row] = await em.execute<{ concertId: string }[]>('select concert_id as concertId from schedule where id = ?', [scheduleId]);
  return row?.concertId ?? null;
}

/** What an admission needs to know of a concert now. */
export interface QueueFacts {
  sale: Sale;
  policy: OwnQueuePolicy;
  seatsMayRemain: boolean;
}

/**
 * One status at a time is one look into the index; the server's own choice reads every seat of a date that is sold out. And the dates first: with the figures of a
 * running sale it goes through the seats of all concerts instead.
 */
const seatOfComingDate = (status: SeatStatus): string => `exists (
         select 1 from schedule d straight_join seat s force index (seat_status_index) on s.schedule_id = d.id and s.status = '${status}'
         where d.concert_id = c.id and d.starts_at > now(3) and d.cancelled_at is null)`;

/** Seats of a date that has begun are not sold any more. */
export async function queueFactsOf(em: EntityManager, concertIds: readonly string[]): Promise<Map<string, QueueFacts>> {
  const rows = await em.execute<(SaleRow & Required<OwnQueuePolicy> & { id: string; seatsMayRemain: number })[]>(
    `select c.id, ${SALE_COLUMNS}, c.queue_admit_count as queueAdmitCount, c.queue_admit_interval_ms as queueAdmitIntervalMs,
       c.queue_active_max as queueActiveMax, ${seatOfComingDate('AVAILABLE')} or ${seatOfComingDate('HELD')} as seatsMayRemain
     from concert c where c.id in (?)`,
    [concertIds],
  );
  return new Map(rows.map((row) => [row.id, { sale: saleOfRow(row), policy: row, seatsMayRemain: Number(row.seatsMayRemain) === 1 }]));
}
