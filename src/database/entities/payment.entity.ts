import { defineEntity, p } from '@mikro-orm/core';
import type { PaymentStatus } from '../../domain/states.js';

/** One per reservation, for ever: the unique key is what makes paying twice impossible. `balance` is the balance after it. */
const schema = defineEntity({
  name: 'Payment',
  tableName: 'payment',
  properties: {
    id: p.uuid().primary(),
    reservationId: p.uuid().unique('payment_reservation_unique'),
    userId: p.uuid(),
    status: p.string().length(8).$type<PaymentStatus>(),
    amount: p.bigint('number'),
    balance: p.bigint('number'),
    paidAt: p.datetime(3),
    refundedAt: p.datetime(3).nullable(),
  },
  indexes: [{ name: 'payment_user_index', properties: ['userId', 'id'] }],
});

export class Payment extends schema.class {}
schema.setClass(Payment);
