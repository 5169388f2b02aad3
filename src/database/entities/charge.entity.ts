import { defineEntity, p } from '@mikro-orm/core';

/** `balance` is the balance after this charge, so that a repeat with the same key gets the same answer. `idempotencyKey` is written by `storedKeyOf`. */
const schema = defineEntity({
  name: 'Charge',
  tableName: 'charge',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    idempotencyKey: p.string().length(256),
    amount: p.bigint('number'),
    balance: p.bigint('number'),
    chargedAt: p.datetime(3),
  },
  uniques: [{ name: 'charge_idempotency_unique', properties: ['userId', 'idempotencyKey'] }],
});

export class Charge extends schema.class {}
schema.setClass(Charge);
