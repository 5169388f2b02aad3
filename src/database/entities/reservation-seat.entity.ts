import { defineEntity, p } from '@mikro-orm/core';

/**
 * A seat as it was when it was reserved. `liveSeatId` is the seat's id while the reservation is HELD or CONFIRMED and null afterwards:
 * its unique key makes a second live reservation of a seat impossible.
 */
const schema = defineEntity({
  name: 'ReservationSeat',
  tableName: 'reservation_seat',
  properties: {
    reservationId: p.uuid().primary(),
    number: p.integer().primary(),
    seatId: p.uuid(),
    liveSeatId: p.uuid().nullable().unique('reservation_seat_live_unique'),
    grade: p.string().length(20),
    price: p.bigint('number'),
  },
});

export class ReservationSeat extends schema.class {}
schema.setClass(ReservationSeat);
