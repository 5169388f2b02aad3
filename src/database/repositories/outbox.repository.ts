import type { EntityManager, QueryResult } from '@mikro-orm/mysql';
import { v7 as uuid } from 'uuid';
import { versioned, type EventType, type Happening, type OutgoingEvent } from '../../domain/event.js';
import { instantOf, type RawInstant } from '../clock.js';

/** Events are written by the transaction that makes them true, and are marked as published only after they were. */

const telling = new WeakSet<EntityManager>();
/** Whether something was told of in this transaction: then the relay has work once it is committed. */
export const toldSomething = (em: EntityManager): boolean => telling.has(em);

/**
 * Within the transaction of the change, after its rows were locked: only then is the order of ids that in which a reservation, or a user's money, changed.
 */
export async function tell(em: EntityManager, happenings: readonly Happening[]): Promise<void> {
  if (happenings.length === 0) return;
  await em.execute(
    `insert into outbox_event (event_id, type, user_id, concert_id, reservation_id, payload, occurred_at) values ${happenings.map(() => '(?, ?, ?, ?, ?, ?, ?)').join(', ')}`,
    happenings.flatMap(({ type, userId, concertId, reservationId, payload, occurredAt }) => [uuid(), type, userId, concertId, reservationId, versioned(payload), occurredAt]),
  );
  telling.add(em);
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

/** The oldest of those not marked yet. */
export async function unpublishedEvents(em: EntityManager, limit: number): Promise<OutgoingEvent[]> {
  const rows = await em.execute<EventRow[]>(
    `select id as sequence, event_id as id, type, user_id as userId, concert_id as concertId, reservation_id as reservationId, payload, occurred_at as occurredAt
     from outbox_event where published_at is null order by id limit ?`,
    [limit],
  );
  return rows.map((row) => ({ ...row, sequence: Number(row.sequence), occurredAt: instantOf(row.occurredAt) }));
}

export async function markPublished(em: EntityManager, sequences: readonly number[]): Promise<void> {
  await em.execute('update outbox_event set published_at = sysdate(3) where id in (?) and published_at is null', [sequences]);
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
