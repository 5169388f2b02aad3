import { defineEntity, p } from '@mikro-orm/core';

/** `balance` is in the minor unit. `version` is compared by every flush: a stale balance cannot be written. */
const schema = defineEntity({
  name: 'Wallet',
  tableName: 'wallet',
  properties: {
    userId: p.uuid().primary(),
    balance: p.bigint('number'),
    version: p.integer().version(),
  },
});

export class Wallet extends schema.class {}
schema.setClass(Wallet);
