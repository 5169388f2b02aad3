import { defineEntity, p } from '@mikro-orm/core';
import { Concert } from './concert.entity.js';

/** What a seat of a grade costs at a concert. A seat keeps its own copy, so that a sold price never moves. */
const schema = defineEntity({
  name: 'ConcertPrice',
  tableName: 'concert_price',
  properties: {
    concertId: () => p.manyToOne(Concert).mapToPk().index(false).primary().fieldName('concert_id'),
    grade: p.string().length(20).primary(),
    amount: p.bigint('number'),
  },
});

export class ConcertPrice extends schema.class {}
schema.setClass(ConcertPrice);
