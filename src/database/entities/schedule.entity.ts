import { defineEntity, p } from '@mikro-orm/core';
import { Concert } from './concert.entity.js';

/** From `cancelledAt` on nothing of a date is reserved or paid. A deleted date keeps its row for the reservations that name it; its seats are gone. */
const schema = defineEntity({
  name: 'Schedule',
  tableName: 'schedule',
  properties: {
    id: p.uuid().primary(),
    concertId: () => p.manyToOne(Concert).mapToPk().index(false).fieldName('concert_id'),
    startsAt: p.datetime(3),
    totalSeats: p.integer(),
    createdAt: p.datetime(3),
    deletedAt: p.datetime(3).nullable(),
    cancelledAt: p.datetime(3).nullable(),
  },
  indexes: [
    { name: 'schedule_concert_index', properties: ['concertId', 'startsAt'] },
    { name: 'schedule_cancelled_index', properties: ['cancelledAt'] },
  ],
});

export class Schedule extends schema.class {}
schema.setClass(Schedule);
