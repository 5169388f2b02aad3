import type { EntityManager } from '@mikro-orm/mysql';
import type { PassRow } from '../../domain/queue-recovery.js';
import type { Place } from '../../domain/queue.js';
import type { PassEnding } from '../../domain/states.js';

/** What brings a queue back that Redis has lost: its epoch and beat, and the places that were admitted or have ended. */

export interface QueueLineState {
  /** One that nobody had before: higher than every earlier one, whatever Redis has forgotten. */
  epoch: number;
  /** Ticks of the queue that are known here. */
  beat: number;
  lookedAfter: boolean;
  /** Whether the queue was ever used. */
  known: boolean;
}

export async function takeQueueEpoch(em: EntityManager, concertId: string): Promise<QueueLineState> {
  await em.execute('update concert set next_queue_epoch = next_queue_epoch + 1 where id = ?', [concertId]);
  const [row] = await em.execute<{ next: number; beat: number | string | null; lookedAfter: number | null }[]>(
    'select c.next_queue_epoch as next, l.beat, l.looked_after as lookedAfter from concert c left join queue_line l on l.concert_id = c.id where c.id = ?',
    [concertId],
  );
  return { epoch: Number(row!.next) - 1, beat: Number(row!.beat ?? 0), lookedAfter: Number(row!.lookedAfter) === 1, known: row!.beat !== null };
}

/** Queues with somebody in them, whatever Redis knows. */
export async function lookedAfterQueues(em: EntityManager): Promise<string[]> {
  const rows = await em.execute<{ id: string }[]>('select concert_id as id from queue_line where looked_after = 1');
  return rows.map(({ id }) => id);
}

/** One statement for all queues of a tick. A tick that was overtaken by a later one sets nothing back. */
export async function noteBeats(em: EntityManager, beats: readonly { concertId: string; beat: number }[]): Promise<void> {
  if (beats.length === 0) return;
  await em.execute(
    `insert into queue_line (concert_id, beat, looked_after) values ${beats.map(() => '(?, ?, 1)').join(', ')}
     on duplicate key update beat = greatest(beat, values(beat)), looked_after = 1`,
    beats.flatMap(({ concertId, beat }) => [concertId, beat]),
  );
}

export async function forgetQueueLine(em: EntityManager, concertId: string): Promise<void> {
  await em.execute('update queue_line set looked_after = 0 where concert_id = ?', [concertId]);
}

const PASS_COLUMNS = `user_id as userId, place, admitted_at is not null as admitted, admitted_epoch as admittedEpoch, ended_by as endedBy,
  timestampdiff(microsecond, sysdate(3), expires_at) div 1000 as remainingMs`;
type RawPass = { userId: string; place: number | string; admitted: number; admittedEpoch: number | null; endedBy: PassEnding | null; remainingMs: number | string };

const passOf = ({ userId, place, admitted, admittedEpoch, endedBy, remainingMs }: RawPass): PassRow => ({
  userId,
  place: Number(place),
  admitted: Number(admitted) === 1,
  admittedEpoch,
  endedBy,
  remainingMs: Number(remainingMs),
});

/** In the order of user and place, from after `after` on. */
async function passesAfter(em: EntityManager, from: string, concertId: string, condition: string, value: number | null, after: Place | null, most: number): Promise<PassRow[]> {
  const rows = await em.execute<RawPass[]>(
    `select ${PASS_COLUMNS} from ${from}
     where concert_id = ? and ${condition} ${after ? 'and (user_id > ? or (user_id = ? and place > ?))' : ''} order by user_id, place limit ?`,
    [concertId, ...(value === null ? [] : [value]), ...(after ? [after.userId, after.userId, after.place] : []), most],
  );
  return rows.map(passOf);
}

/** Passes that nothing has ended yet; their time may have. They are found among all of their queue's: only a queue that was lost is asked for them. */
export const openPasses = (em: EntityManager, concertId: string, after: Place | null, most: number): Promise<PassRow[]> =>
  passesAfter(em, 'queue_pass force index (primary)', concertId, 'ended_at is null', null, after, most);

export const passesEndedSince = (em: EntityManager, concertId: string, sinceMs: number, after: Place | null, most: number): Promise<PassRow[]> =>
  passesAfter(em, 'queue_pass', concertId, 'ended_at >= from_unixtime(?)', Math.max(0, sinceMs) / 1000, after, most);

/** All that is remembered of these users in this queue. */
export async function passesOfUsers(em: EntityManager, concertId: string, userIds: readonly string[]): Promise<PassRow[]> {
  if (userIds.length === 0) return [];
  const rows = await em.execute<RawPass[]>(`select ${PASS_COLUMNS} from queue_pass where concert_id = ? and user_id in (?)`, [concertId, userIds]);
  return rows.map(passOf);
}

/** A row that only time has ended is of a place that still waited, because an admission was cut short. */
const STILL_WAITED = "ended_by is null or (ended_by = 'TIME' and admitted_at is null)";

/** Places that ended, of waiters as well: from here on no queue token brings them back. The first ending counts. */
export async function endPlaces(em: EntityManager, concertId: string, places: readonly Place[], endedBy: PassEnding): Promise<void> {
  if (places.length === 0) return;
  await em.execute(
    `insert into queue_pass (concert_id, user_id, place, expires_at, ended_at, ended_by)
     values ${places.map(() => '(?, ?, ?, sysdate(3), sysdate(3), ?)').join(', ')}
     on duplicate key update
       ended_at = if(${STILL_WAITED}, values(ended_at), ended_at),
       ended_by = if(${STILL_WAITED}, values(ended_by), ended_by)`,
    places.flatMap(({ userId, place }) => [concertId, userId, place, endedBy]),
  );
}

/** Passes of places that were lost before they could be handed over: the places wait again as soon as their users are back. */
export async function takeBackPasses(em: EntityManager, concertId: string, places: readonly Place[]): Promise<void> {
  await em.execute(
    `delete from queue_pass where concert_id = ? and admitted_at is null and ended_at is null and (${places.map(() => '(user_id = ? and place = ?)').join(' or ')})`,
    [concertId, ...places.flatMap(({ userId, place }) => [userId, place])],
  );
}
