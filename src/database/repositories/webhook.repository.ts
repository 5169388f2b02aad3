import { LockMode, type EntityManager, type QueryResult } from '@mikro-orm/mysql';
import { v7 as uuid } from 'uuid';
import { bodyOf, orderKeyOf, type EventType, type OutgoingEvent } from '../../domain/event.js';
import type { DeliveryState } from '../../domain/states.js';
import { databaseNow } from '../clock.js';
import { WebhookDelivery } from '../entities/webhook-delivery.entity.js';
import { Webhook } from '../entities/webhook.entity.js';

/** One delivery for each event and webhook that wants it; one at a time is under way of those that have an order. */

/** A delivery to be tried, and whose it is. */
export interface DueDelivery {
  deliveryId: string;
  webhookId: string;
}

/** One that is to be made. */
interface WantedDelivery extends DueDelivery {
  event: OutgoingEvent;
}

/** In the order of the events. */
export async function wantedDeliveries(em: EntityManager, events: readonly OutgoingEvent[]): Promise<WantedDelivery[]> {
  const webhooks = await em.execute<{ id: string; events: string | EventType[] }[]>('select id, events from webhook where enabled');
  const types = webhooks.map(({ events: wanted }) => new Set(typeof wanted === 'string' ? (JSON.parse(wanted) as EventType[]) : wanted));
  return events.flatMap((event) => webhooks.flatMap(({ id }, index) => (types[index]!.has(event.type) ? [{ deliveryId: uuid(), event, webhookId: id }] : [])));
}

/** Those that were there before stay as they are. */
export async function addDeliveries(em: EntityManager, wanted: readonly WantedDelivery[]): Promise<void> {
  for (let from = 0; from < wanted.length; from += ROWS_PER_INSERT) await insertDeliveries(em, wanted.slice(from, from + ROWS_PER_INSERT));
}

/** However many webhooks there are, a statement stays small. */
const ROWS_PER_INSERT = 1000;

async function insertDeliveries(em: EntityManager, wanted: readonly WantedDelivery[]): Promise<void> {
  await em.execute(
    `insert into webhook_delivery (id, webhook_id, event_id, event_type, order_key, sequence, body, state, attempts, next_at, created_at)
     values ${wanted.map(() => "(?, ?, ?, ?, ?, ?, ?, 'PENDING', 0, sysdate(3), sysdate(3))").join(', ')} on duplicate key update id = webhook_delivery.id`,
    wanted.flatMap(({ deliveryId, event, webhookId }) => [deliveryId, webhookId, event.id, event.type, orderKeyOf(event), event.sequence, bodyOf(event)]),
  );
}

const EARLIER = `select 1 from webhook_delivery e
  where e.webhook_id = d.webhook_id and e.order_key = d.order_key and e.state = 'PENDING' and e.sequence < d.sequence`;

/** A delivery that is this caller's alone for `claimMs`. */
export interface Claim {
  delivery: WebhookDelivery;
  webhook: Webhook;
  at: Date;
}

/** One that waits for an earlier one is asked for when that is over; until then the search for lost jobs need not come across it again and again. */
const BEHIND_MS = 60_000;

/** The delivery to be tried now; or how long it still has to wait, 0 where nothing is to be done here. */
export async function claimDelivery(em: EntityManager, id: string, claimMs: number): Promise<Claim | { remainingMs: number }> {
  const delivery = await em.findOne(WebhookDelivery, { id, state: 'PENDING' }, { lockMode: LockMode.PESSIMISTIC_WRITE });
  if (!delivery) return { remainingMs: 0 };
  const webhook = await em.findOne(Webhook, { id: delivery.webhookId });
  if (!webhook) em.remove(delivery);
  if (!webhook?.enabled) return { remainingMs: 0 };
  const now = await databaseNow(em);
  if (await hasEarlier(em, id)) {
    if (delivery.attempts === 0) delivery.nextAt = new Date(now.getTime() + BEHIND_MS);
    return { remainingMs: 0 };
  }
  const remainingMs = delivery.nextAt.getTime() - now.getTime();
  if (remainingMs > 0) return { remainingMs };
  delivery.attempts += 1;
  delivery.nextAt = new Date(now.getTime() + claimMs);
  return { delivery, webhook, at: now };
}

const hasEarlier = async (em: EntityManager, id: string): Promise<boolean> =>
  (await em.execute(`select 1 from webhook_delivery d where d.id = ? and exists (${EARLIER})`, [id])).length > 0;

export interface Attempted {
  state: DeliveryState;
  /** Until the next attempt. */
  delayMs: number;
  status: number | null;
  error: string | null;
}

/** What became of an attempt, unless somebody else has tried since. */
export async function settleDelivery(em: EntityManager, { id, attempts }: WebhookDelivery, { state, delayMs, status, error }: Attempted): Promise<void> {
  await em.execute(
    `update webhook_delivery set state = ?, next_at = sysdate(3) + interval ? microsecond, last_status = ?, last_error = ?
     where id = ? and state = 'PENDING' and attempts = ?`,
    [state, delayMs * 1000, status, error, id, attempts],
  );
}

/** The delivery that waited for this one, due from now on. Its row is locked also where nothing of it changes: whoever looks at it meanwhile would still see this one pending, and put it off. */
export async function nextInOrder(em: EntityManager, { webhookId, orderKey }: WebhookDelivery): Promise<DueDelivery | null> {
  const [row] = await em.execute<{ deliveryId: string }[]>(
    "select id as deliveryId from webhook_delivery where webhook_id = ? and order_key = ? and state = 'PENDING' order by sequence limit 1",
    [webhookId, orderKey],
  );
  if (!row) return null;
  await em.execute("update webhook_delivery set next_at = least(next_at, sysdate(3)) where id = ? and state = 'PENDING' and attempts = 0", [row.deliveryId]);
  return { deliveryId: row.deliveryId, webhookId };
}

export async function enabledWebhooks(em: EntityManager): Promise<string[]> {
  return (await em.execute<{ id: string }[]>('select id from webhook where enabled')).map(({ id }) => id);
}

/**
 * Deliveries of a webhook that nobody has tried though their time came a while ago; NOW() and not SYSDATE(), which no index can serve. Each webhook is asked for
 * by itself: the crowd that waits for one that hangs hides nobody else's.
 */
export async function overdueDeliveries(em: EntityManager, webhookId: string, lateMs: number, limit: number): Promise<DueDelivery[]> {
  return em.execute<DueDelivery[]>(
    `select d.id as deliveryId, d.webhook_id as webhookId from webhook_delivery d force index (webhook_delivery_late_index)
     where d.webhook_id = ? and d.state = 'PENDING' and d.next_at <= now(3) - interval ? microsecond and not exists (${EARLIER}) order by d.next_at limit ?`,
    [webhookId, lateMs * 1000, limit],
  );
}

/** Webhooks that are gone and have deliveries still: the relay was just adding those. */
export async function removedWebhooks(em: EntityManager): Promise<string[]> {
  const rows = await em.execute<{ id: string }[]>(
    'select d.id from (select distinct webhook_id as id from webhook_delivery) d left join webhook w on w.id = d.id where w.id is null',
  );
  return rows.map(({ id }) => id);
}

/** DEAD ones of a webhook get all their attempts again. Answers how many. */
export async function reviveDead(em: EntityManager, webhookId: string, limit: number): Promise<number> {
  const result = await em.execute<QueryResult>(
    "update webhook_delivery set state = 'PENDING', attempts = 0, next_at = sysdate(3) where webhook_id = ? and state = 'DEAD' limit ?",
    [webhookId, limit],
    'run',
  );
  return result.affectedRows;
}

/** Answers how many. */
export async function deleteOverDeliveries(em: EntityManager, state: DeliveryState, keptMs: number, limit: number): Promise<number> {
  const result = await em.execute<QueryResult>(
    'delete from webhook_delivery where state = ? and next_at <= now(3) - interval ? microsecond order by next_at limit ?',
    [state, keptMs * 1000, limit],
    'run',
  );
  return result.affectedRows;
}

/** Those of a webhook that is gone. Answers how many. */
export async function deleteDeliveriesOf(em: EntityManager, webhookId: string, limit: number): Promise<number> {
  const result = await em.execute<QueryResult>('delete from webhook_delivery where webhook_id = ? limit ?', [webhookId, limit], 'run');
  return result.affectedRows;
}

/** Newest first, from after the cursor's. */
export const deliveriesIn = (em: EntityManager, state: DeliveryState, webhookId: string | null, afterId: string | null, limit: number): Promise<WebhookDelivery[]> =>
  em.find(WebhookDelivery, { state, ...(webhookId ? { webhookId } : {}), ...(afterId ? { id: { $lt: afterId } } : {}) }, { orderBy: { id: 'desc' }, limit });
