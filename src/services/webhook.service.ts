import { randomBytes } from 'node:crypto';
import { LockMode } from '@mikro-orm/mysql';
import { v7 as uuid } from 'uuid';
import { databaseNow } from '../database/clock.js';
import { WebhookDelivery } from '../database/entities/webhook-delivery.entity.js';
import { Webhook } from '../database/entities/webhook.entity.js';
import { newestPage } from '../database/newest-page.js';
import { deleteDeliveriesOf, deliveriesIn, reviveDead } from '../database/repositories/webhook.repository.js';
import type { Transactions } from '../database/transaction.js';
import { changedOr } from '../domain/catalogue.js';
import { idOfCursor, pageOf, type Page } from '../domain/cursor.js';
import { notFound } from '../domain/errors.js';
import type { EventType } from '../domain/event.js';
import { pageSizeOf, uuidOf } from '../domain/input.js';
import type { DeliveryState } from '../domain/states.js';
import { eventTypesOf, keptSecondsOf, webhookUrlOf } from '../domain/webhook.js';
import type { DeliveryService } from './delivery.service.js';

const SECRET_BYTES = 32;
const newSecret = (): string => randomBytes(SECRET_BYTES).toString('base64url');
const DELETE_BATCH = 1000;
const REVIVE_BATCH = 1000;

export interface NewWebhook {
  url: string;
  events: EventType[];
}
export interface WebhookChange {
  url?: string | null;
  events?: EventType[] | null;
  enabled?: boolean | null;
}

/** Where events go, as admins say. A webhook's secret is told once, to whoever makes or changes it. */
export class WebhookService {
  constructor(
    private readonly transactions: Transactions,
    private readonly deliveries: DeliveryService,
    private readonly allowLoopback: boolean,
  ) {}

  page(first: number, after: string | null): Promise<Page<Webhook>> {
    return newestPage(this.transactions.fork(), Webhook, first, after);
  }

  async create(input: NewWebhook): Promise<{ webhook: Webhook; secret: string }> {
    const values = { url: webhookUrlOf('url', input.url, this.allowLoopback), events: eventTypesOf('events', input.events) };
    const secret = newSecret();
    const webhook = await this.transactions.run(async (em) => em.create(Webhook, { id: uuid(), ...values, secret, enabled: true, createdAt: await databaseNow(em) }));
    return { webhook, secret };
  }

  update(id: string, change: WebhookChange): Promise<Webhook> {
    const webhookId = uuidOf('id', id);
    return this.transactions.run(async (em) => {
      const webhook = await em.findOne(Webhook, { id: webhookId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
      if (!webhook) throw notFound('webhook');
      webhook.url = webhookUrlOf('url', changedOr('url', change.url, webhook.url), this.allowLoopback);
      webhook.events = eventTypesOf('events', changedOr('events', change.events, webhook.events));
      webhook.enabled = changedOr('enabled', change.enabled, webhook.enabled);
      await em.flush();
      return webhook;
    });
  }

  /** A new secret; the old one signs beside it for `keepOldSeconds`, so that the receiver can change over in between. */
  async rotateSecret(id: string, keepOldSeconds: number): Promise<{ webhook: Webhook; secret: string }> {
    const webhookId = uuidOf('id', id);
    const keptMs = keptSecondsOf('keepOldSeconds', keepOldSeconds) * 1000;
    const secret = newSecret();
    const webhook = await this.transactions.run(async (em) => {
      const found = await em.findOne(Webhook, { id: webhookId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
      if (!found) throw notFound('webhook');
      const kept = keptMs > 0 ? { oldSecret: found.secret, oldSecretUntil: new Date((await databaseNow(em)).getTime() + keptMs) } : { oldSecret: null, oldSecretUntil: null };
      return Object.assign(found, { secret, ...kept });
    });
    return { webhook, secret };
  }

  /** Its deliveries go with it; one that the relay is just adding goes when its turn comes. */
  async delete(id: string): Promise<Webhook> {
    const webhookId = uuidOf('id', id);
    const webhook = await this.transactions.run(async (em) => {
      const found = await em.findOne(Webhook, { id: webhookId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
      if (!found) throw notFound('webhook');
      await em.nativeDelete(Webhook, { id: webhookId });
      return found;
    });
    while ((await deleteDeliveriesOf(this.transactions.fork(), webhookId, DELETE_BATCH)) === DELETE_BATCH);
    return webhook;
  }

  async deliveryPage(state: DeliveryState, webhookId: string | null, first: number, after: string | null): Promise<Page<WebhookDelivery>> {
    const size = pageSizeOf('first', first);
    const [ofWebhook, afterId] = [webhookId === null ? null : uuidOf('webhookId', webhookId), after === null ? null : idOfCursor('after', after)];
    if (ofWebhook !== null) await this.#assertThere(ofWebhook);
    return pageOf(await deliveriesIn(this.transactions.fork(), state, ofWebhook, afterId, size + 1), size);
  }

  /** Every DEAD delivery of the webhook; their jobs are the sweeper's. Answers how many. */
  async redeliverAll(id: string): Promise<number> {
    const webhookId = uuidOf('webhookId', id);
    await this.#assertThere(webhookId);
    let revived = 0;
    for (let inBatch = REVIVE_BATCH; inBatch === REVIVE_BATCH; revived += inBatch) inBatch = await reviveDead(this.transactions.fork(), webhookId, REVIVE_BATCH);
    return revived;
  }

  /** With all its attempts again, from now on. One that is not DEAD stays as it is. */
  async redeliver(id: string): Promise<WebhookDelivery> {
    const deliveryId = uuidOf('id', id);
    const { delivery, revived } = await this.transactions.run(async (em) => {
      const found = await em.findOne(WebhookDelivery, { id: deliveryId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
      if (!found) throw notFound('delivery');
      if (found.state !== 'DEAD') return { delivery: found, revived: false };
      Object.assign(found, { state: 'PENDING' as const, attempts: 0, nextAt: await databaseNow(em) });
      return { delivery: found, revived: true };
    });
    if (revived) await this.deliveries.begin([{ deliveryId, webhookId: delivery.webhookId }]);
    return delivery;
  }

  async #assertThere(webhookId: string): Promise<void> {
    if ((await this.transactions.fork().count(Webhook, { id: webhookId })) === 0) throw notFound('webhook');
  }
}
