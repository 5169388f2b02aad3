import { defineEntity, p } from '@mikro-orm/core';
import { Venue } from './venue.entity.js';

/** The queue's three policy columns are what an admin set for this concert; null means the configured default. */
const schema = defineEntity({
  name: 'Concert',
  tableName: 'concert',
  properties: {
    id: p.uuid().primary(),
    venueId: () => p.manyToOne(Venue).mapToPk().fieldName('venue_id'),
    title: p.string().length(200),
    artist: p.string().length(200),
    saleOpensAt: p.datetime(3),
    saleClosesAt: p.datetime(3).nullable(),
    queueAdmitCount: p.integer().nullable(),
    queueAdmitIntervalMs: p.integer().nullable(),
    queueActiveMax: p.integer().nullable(),
    nextQueueEpoch: p.integer().default(0),
    createdAt: p.datetime(3),
  },
});

export class Concert extends schema.class {}
schema.setClass(Concert);
