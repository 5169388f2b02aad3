import { defineEntity, p } from '@mikro-orm/core';

/**
 * What tells whether Redis has lost a queue: `beat` counts its ticks, as its state in Redis does, and `lookedAfter` says whether somebody is in it, so
 * that the admission job misses it. One row for each concert whose queue was ever used.
 */
const schema = defineEntity({
  name: 'QueueLine',
  tableName: 'queue_line',
  properties: {
    concertId: p.uuid().primary(),
    beat: p.bigint('number'),
    lookedAfter: p.boolean(),
  },
  indexes: [{ name: 'queue_line_looked_after_index', properties: ['lookedAfter'] }],
});

export class QueueLine extends schema.class {}
schema.setClass(QueueLine);
