import { defineEntity, p } from '@mikro-orm/core';
import type { LedgerKind } from '../../domain/states.js';

/** One row for every change of a balance; their sum is the balance. `amount` is signed, `sourceId` is the charge or payment. */
const schema = defineEntity({
  name: 'LedgerEntry',
  tableName: 'ledger_entry',
  properties: {
    id: p.bigint('number').primary().autoincrement(),
    userId: p.uuid(),
    kind: p.string().length(10).$type<LedgerKind>(),
    amount: p.bigint('number'),
    balanceAfter: p.bigint('number'),
    sourceId: p.uuid(),
    createdAt: p.datetime(3),
  },
  indexes: [{ name: 'ledger_entry_user_index', properties: ['userId', 'id'] }],
  uniques: [{ name: 'ledger_entry_source_unique', properties: ['sourceId', 'kind'] }],
});

export class LedgerEntry extends schema.class {}
schema.setClass(LedgerEntry);
