import { defineEntity, p } from '@mikro-orm/core';
import type { EventType } from '../../domain/event.js';

/** Where events are posted to. `secret` signs them, so it is kept as it is; so does `oldSecret` until `oldSecretUntil`. */
const schema = defineEntity({
  name: 'Webhook',
  tableName: 'webhook',
  properties: {
    id: p.uuid().primary(),
    url: p.string().length(500),
    secret: p.string().length(64),
    oldSecret: p.string().length(64).nullable(),
    oldSecretUntil: p.datetime(3).nullable(),
    events: p.json<EventType[]>(),
    enabled: p.boolean(),
    createdAt: p.datetime(3),
  },
});

export class Webhook extends schema.class {}
schema.setClass(Webhook);
