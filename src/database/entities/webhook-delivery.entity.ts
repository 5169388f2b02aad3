import { defineEntity, p } from '@mikro-orm/core';
import type { EventType } from '../../domain/event.js';
import type { DeliveryState } from '../../domain/states.js';

/**
 * One event for one webhook, once: the unique key says so. `nextAt` is when it is tried next, and of one that is over when it ended. Those with the same
 * `orderKey` go out by `sequence`.
 */
const schema = defineEntity({
  name: 'WebhookDelivery',
  tableName: 'webhook_delivery',
  properties: {
    id: p.uuid().primary(),
    webhookId: p.uuid(),
    eventId: p.uuid(),
    eventType: p.string().length(30).$type<EventType>(),
    orderKey: p.string().length(80),
    sequence: p.bigint('number'),
    body: p.text(),
    state: p.string().length(9).$type<DeliveryState>(),
    attempts: p.integer(),
    nextAt: p.datetime(3),
    lastStatus: p.integer().nullable(),
    lastError: p.string().length(200).nullable(),
    createdAt: p.datetime(3),
  },
  uniques: [{ name: 'webhook_delivery_event_unique', properties: ['webhookId', 'eventId'] }],
  indexes: [
    { name: 'webhook_delivery_order_index', properties: ['webhookId', 'orderKey', 'state', 'sequence'] },
    { name: 'webhook_delivery_due_index', properties: ['state', 'nextAt'] },
    { name: 'webhook_delivery_state_index', properties: ['state', 'id'] },
    { name: 'webhook_delivery_late_index', properties: ['webhookId', 'state', 'nextAt'] },
  ],
});

export class WebhookDelivery extends schema.class {}
schema.setClass(WebhookDelivery);
