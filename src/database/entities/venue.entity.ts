import { defineEntity, p } from '@mikro-orm/core';
import type { SectionLayout } from '../../domain/seat-map.js';

/** `sections` is the venue's usual layout, read and written whole: a date may be created from it. */
const schema = defineEntity({
  name: 'Venue',
  tableName: 'venue',
  properties: {
    id: p.uuid().primary(),
    name: p.string().length(200),
    address: p.string().length(300).nullable(),
    timeZone: p.string().length(64),
    sections: p.json<SectionLayout[]>(),
    createdAt: p.datetime(3),
  },
});

export class Venue extends schema.class {}
schema.setClass(Venue);
