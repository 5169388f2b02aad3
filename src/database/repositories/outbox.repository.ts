import type { EntityManager, QueryResult } from '@mikro-orm/mysql';
import { versioned, type EventType, type Happening, type OutgoingEvent } from '../../domain/event.js';
import { quickId } from '../../domain/ids.js';
import { NOTHING_PUBLISHED, type OutboxMark } from '../../domain/outbox-mark.js';
import { instantOf, type RawInstant } from '../clock.js';
import type { Asked } from '../together.js';

/** Events are written by the transaction that makes them true, and are marked as published only after they were. */

const tellers = new WeakSet<EntityManager>();
/** Whether something was told of in this transaction: then the relay has work once it is committed. */
export const toldSomething = (em: EntityManager): boolean => tellers.has(em);

/**
 * Within the transaction of the change, after its rows were locked: only then is the order of ids that in which a reservation, or a user's money, changed.
 */
export async function tell(em: EntityManager, happenings: readonly Happening[]): Promise<void> {
  const { sql, params } = telling(em, happenings);
  if (sql !== '') await em.execute(sql, [...params]);
}

/** The same as a statement, which is surely executed. */
export function telling(em: EntityManager, happenings: readonly Happening[]): Asked<void> {
  if (happenings.length > 0) tellers.add(em);
  const rows = Array(happenings.length).fill('(?, ?, ?, ?, ?, ?, ?)').join(', ');
  return {
    sql: happenings.length === 0 ? '' : `insert into outbox_event (event_id, type, user_id, concert_id, reservation_id, payload, occurred_at) values ${rows}`,
    params: happenings.flatMap(({ type, userId, concertId, reservationId, payload, occurredAt }) => [quickId(), type, userId, concertId, reservationId, versioned(payload), occurredAt]),
    read: () => undefined,
  };
}

interface EventRow {
  sequence: number | string;
  id: string;
  type: EventType;
  userId: string;
  concertId: string | null;
  reservationId: string | null;
  payload: string;
  occurredAt: RawInstant;
}

/** To be ordered by `outbox_event.id`: a bare `id` is the name given here, an id that other processes' clocks have a part in. */
const EVENT_COLUMNS = `id as sequence, event_id as id, type, user_id as userId, concert_id as concertId, reservation_id as reservationId, payload,
  occurred_at as occurredAt`;
const eventOf = (row: EventRow): OutgoingEvent => ({ ...row, sequence: Number(row.sequence), occurredAt: instantOf(row.occurredAt) });

/**
 * The oldest of those not marked yet. Ids are given before the commit, so a lower one may come into sight after a higher one was published: it is found all
 * the same, because what is asked for is the missing mark. Of one reservation that cannot be: its next event waits for the lock that the first one's commit frees.
 */
export async function unpublishedEvents(em: EntityManager, limit: number): Promise<OutgoingEvent[]> {
  return (await em.execute<EventRow[]>(`select ${EVENT_COLUMNS} from outbox_event where published_at is null order by outbox_event.id limit ?`, [limit])).map(eventOf);
}

export async function markPublished(em: EntityManager, sequences: readonly number[], at: Date): Promise<void> {
  await em.execute('update outbox_event set published_at = ? where id in (?) and published_at is null', [at, sequences]);
}

interface MarkRow {
  publishedAt: RawInstant;
  sequence: number | string;
}
const markOfRow = ({ publishedAt, sequence }: MarkRow): OutboxMark => ({ publishedAt: instantOf(publishedAt), sequence: Number(sequence) });

/** The row that was published last, and the one `before` rows earlier; nothing published where there is no such row. */
export async function lastPublished(em: EntityManager, before = 0): Promise<OutboxMark> {
  const [row] = await em.execute<MarkRow[]>(
    'select published_at as publishedAt, id as sequence from outbox_event where published_at is not null order by published_at desc, id desc limit 1 offset ?',
    [before],
  );
  return row ? markOfRow(row) : NOTHING_PUBLISHED;
}

/** Those that were published after `mark`, in the order in which they were, and how far they go. */
export async function publishedAfter(em: EntityManager, mark: OutboxMark, limit: number): Promise<{ events: OutgoingEvent[]; reached: OutboxMark }> {
  const rows = await em.execute<(EventRow & { publishedAt: RawInstant })[]>(
    `select ${EVENT_COLUMNS}, published_at as publishedAt from outbox_event
     where published_at >= ? and (published_at > ? or id > ?) order by published_at, outbox_event.id limit ?`,
    [mark.publishedAt, mark.publishedAt, mark.sequence, limit],
  );
  return { events: rows.map(eventOf), reached: rows.length > 0 ? markOfRow(rows.at(-1)!) : mark };
}

/** NOW() and not SYSDATE(), which no index can serve. Answers how many. */
export async function deletePublishedEvents(em: EntityManager, keptMs: number, limit: number): Promise<number> {
  const result = await em.execute<QueryResult>(
    'delete from outbox_event where published_at <= now(3) - interval ? microsecond order by published_at limit ?',
    [keptMs * 1000, limit],
    'run',
  );
  return result.affectedRows;
}

/** What waits to be published; counted no further than `countMax`. */
export async function outboxBacklog(em: EntityManager, countMax: number): Promise<{ count: number; oldestMs: number }> {
  const [row] = await em.execute<{ count: number | string; oldestMs: number | string | null }[]>(
    `select (select count(*) from (select 1 from outbox_event where published_at is null limit ?) waiting) as count,
       (select timestampdiff(microsecond, occurred_at, sysdate(3)) div 1000 from outbox_event where published_at is null order by id limit 1) as oldestMs`,
    [countMax],
  );
  return { count: Number(row!.count), oldestMs: Math.max(0, Number(row!.oldestMs ?? 0)) };
}
