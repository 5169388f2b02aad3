import { defineEntity, p } from '@mikro-orm/core';
import type { SeatStatus } from '../../domain/states.js';
import { Schedule } from './schedule.entity.js';

/**
 * A seat of a date. The key (date, number) keeps a date's seats side by side on disk. `status` HELD counts only until `heldUntil`:
 * from that instant on the seat is AVAILABLE, whatever the row says. `version` grows with every change of `status`.
 */
const schema = defineEntity({
  name: 'Seat',
  tableName: 'seat',
  properties: {
    scheduleId: () => p.manyToOne(Schedule).mapToPk().primary().index(false).fieldName('schedule_id'),
    number: p.integer().primary(),
    id: p.uuid().unique('seat_id_unique'),
    section: p.string().length(50),
    row: p.string().length(20).fieldName('row_name'),
    grade: p.string().length(20),
    price: p.bigint('number'),
    status: p.string().length(9).$type<SeatStatus>(),
    reservationId: p.uuid().nullable(),
    heldUntil: p.datetime(3).nullable(),
    version: p.integer().unsigned().default(0),
  },
  indexes: [{ name: 'seat_status_index', properties: ['scheduleId', 'status', 'heldUntil'] }],
});

export class Seat extends schema.class {}
schema.setClass(Seat);
