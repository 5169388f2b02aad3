import { defineEntity, p } from '@mikro-orm/core';
import type { ReservationStatus } from '../../domain/states.js';

/** HELD counts only until `expiresAt`: from that instant on the hold is over, whatever the row says. */
const schema = defineEntity({
  name: 'Reservation',
  tableName: 'reservation',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    concertId: p.uuid(),
    scheduleId: p.uuid(),
    status: p.string().length(9).$type<ReservationStatus>(),
    seatCount: p.integer(),
    totalPrice: p.bigint('number'),
    expiresAt: p.datetime(3),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
  indexes: [
    { name: 'reservation_user_index', properties: ['userId', 'id'] },
    { name: 'reservation_quota_index', properties: ['userId', 'concertId'] },
    { name: 'reservation_expiry_index', properties: ['status', 'expiresAt'] },
    { name: 'reservation_date_index', properties: ['scheduleId'] },
  ],
});

export class Reservation extends schema.class {}
schema.setClass(Reservation);
