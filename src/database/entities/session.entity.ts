import { defineEntity, p } from '@mikro-orm/core';

/** A family of refresh tokens: each refresh raises `generation`, only the newest token is good. */
const schema = defineEntity({
  name: 'Session',
  tableName: 'session',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    generation: p.integer(),
    rotatedAt: p.datetime(3),
    expiresAt: p.datetime(3),
    revokedAt: p.datetime(3).nullable(),
    createdAt: p.datetime(3),
  },
  indexes: [{ name: 'session_expiry_index', properties: ['expiresAt'] }],
});

export class Session extends schema.class {}
schema.setClass(Session);
