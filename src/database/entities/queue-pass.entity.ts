import { defineEntity, p } from '@mikro-orm/core';
import type { PassEnding } from '../../domain/states.js';

/**
 * A pass, written before anyone is told of it; `admittedAt` follows once it was handed over, and is null while its place still waits. `activeCount` is
 * how many were active right after it was handed over, with it, and `activeMax` how many might be then. `admittedEpoch` is an epoch of the queue in which its
 * user had the pass, null where that is not known: places from before that epoch were gone by then. A place that ended while it still waited has a row as well,
 * so that no queue token brings it back.
 */
const schema = defineEntity({
  name: 'QueuePass',
  tableName: 'queue_pass',
  properties: {
    concertId: p.uuid().primary(),
    userId: p.uuid().primary(),
    place: p.bigint('number').primary(),
    admittedAt: p.datetime(3).nullable(),
    expiresAt: p.datetime(3),
    endedAt: p.datetime(3).nullable(),
    endedBy: p.string().length(6).$type<PassEnding>().nullable(),
    activeCount: p.integer().nullable(),
    activeMax: p.integer().nullable(),
    admittedEpoch: p.integer().nullable(),
  },
  indexes: [{ name: 'queue_pass_open_index', properties: ['endedAt', 'expiresAt'] }],
});

export class QueuePass extends schema.class {}
schema.setClass(QueuePass);
