import { registerEnumType } from 'type-graphql';
import type { PaymentStatus, QueueStatus, ReservationStatus, SeatStatus } from '../domain/states.js';

/** GraphQL enums of the state tables in domain/states.ts; `satisfies` keeps both the same. */

export const SeatStatusEnum = { AVAILABLE: 'AVAILABLE', HELD: 'HELD', SOLD: 'SOLD' } as const satisfies { [Status in SeatStatus]: Status };
registerEnumType(SeatStatusEnum, {
  name: 'SeatStatus',
  description: 'What can be done with a seat now.',
  valuesConfig: {
    AVAILABLE: { description: 'Can be reserved.' },
    HELD: { description: "In somebody's hold, until it is paid, given back or runs out." },
    SOLD: { description: 'Paid.' },
  },
});

export const QueueStatusEnum = {
  WAITING: 'WAITING',
  ACTIVE: 'ACTIVE',
  COMPLETED: 'COMPLETED',
  EXPIRED: 'EXPIRED',
} as const satisfies { [Status in QueueStatus]: Status };
registerEnumType(QueueStatusEnum, {
  name: 'QueueStatus',
  description: 'WAITING, then ACTIVE, then COMPLETED (paid) or EXPIRED (the pass ran out, absent too long, or left).',
  valuesConfig: {
    WAITING: { description: 'In line.' },
    ACTIVE: { description: 'Admitted: seats may be seen and reserved.' },
    COMPLETED: { description: 'Paid; the pass is over.' },
    EXPIRED: { description: 'The pass ran out, the user was absent too long, or left.' },
  },
});

export const ReservationStatusEnum = {
  HELD: 'HELD',
  CONFIRMED: 'CONFIRMED',
  EXPIRED: 'EXPIRED',
  CANCELLED: 'CANCELLED',
  REFUNDED: 'REFUNDED',
} as const satisfies { [Status in ReservationStatus]: Status };
registerEnumType(ReservationStatusEnum, {
  name: 'ReservationStatus',
  description: 'HELD, then CONFIRMED (paid), EXPIRED (ran out) or CANCELLED (given back); CONFIRMED may become REFUNDED.',
  valuesConfig: {
    HELD: { description: 'The seats are kept until expiresAt.' },
    CONFIRMED: { description: 'Paid; the seats are the user’s.' },
    EXPIRED: { description: 'The hold ran out; the seats are free.' },
    CANCELLED: { description: 'The user gave the hold back; the seats are free.' },
    REFUNDED: { description: 'The payment went back to the balance; the seats are free.' },
  },
});

export const PaymentStatusEnum = { PAID: 'PAID', REFUNDED: 'REFUNDED' } as const satisfies { [Status in PaymentStatus]: Status };
registerEnumType(PaymentStatusEnum, {
  name: 'PaymentStatus',
  description: 'PAID, and REFUNDED once the money went back.',
  valuesConfig: {
    PAID: { description: 'The amount was taken from the balance.' },
    REFUNDED: { description: 'The amount was returned to the balance.' },
  },
});
