import { defineEntity, p } from '@mikro-orm/core';
import type { EventType } from '../../domain/event.js';

/** An event, written by the transaction that makes it true; `publishedAt` follows once it was published. The id is the order of those of one reservation. */
const schema = defineEntity({
  name: 'OutboxEvent',
  tableName: 'outbox_event',
  properties: {
    id: p.bigint('number').primary().autoincrement(),
    eventId: p.uuid(),
    type: p.string().length(30).$type<EventType>(),
    userId: p.uuid(),
    concertId: p.uuid().nullable(),
    reservationId: p.uuid().nullable(),
    payload: p.text(),
    occurredAt: p.datetime(3),
    publishedAt: p.datetime(3).nullable(),
  },
  indexes: [{ name: 'outbox_event_published_index', properties: ['publishedAt', 'id'] }],
});

export class OutboxEvent extends schema.class {}
schema.setClass(OutboxEvent);
