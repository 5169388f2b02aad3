import { defineEntity, p } from '@mikro-orm/core';

/** The row a reserve locks first, so that parallel reserves of one user cannot pass the seat limit of a concert together. */
const schema = defineEntity({
  name: 'ReservationQuota',
  tableName: 'reservation_quota',
  properties: {
    userId: p.uuid().primary(),
    concertId: p.uuid().primary(),
  },
});

export class ReservationQuota extends schema.class {}
schema.setClass(ReservationQuota);
