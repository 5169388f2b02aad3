import { registerEnumType } from 'type-graphql';
import type { EventType } from '../domain/event.js';
import type { CancellationStatus, DeliveryState, PaymentStatus, QueueStatus, ReservationStatus, SeatStatus } from '../domain/states.js';

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
    CANCELLED: { description: 'The user gave the hold back, or the date was cancelled; the seats are free.' },
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

export const EventTypeEnum = {
  RESERVATION_HELD: 'RESERVATION_HELD',
  RESERVATION_EXPIRED: 'RESERVATION_EXPIRED',
  RESERVATION_CANCELLED: 'RESERVATION_CANCELLED',
  PAYMENT_MADE: 'PAYMENT_MADE',
  PAYMENT_REFUNDED: 'PAYMENT_REFUNDED',
  CHARGE_MADE: 'CHARGE_MADE',
  QUEUE_JOINED: 'QUEUE_JOINED',
  QUEUE_ADMITTED: 'QUEUE_ADMITTED',
  QUEUE_LEFT: 'QUEUE_LEFT',
  QUEUE_EXPIRED: 'QUEUE_EXPIRED',
  QUEUE_COMPLETED: 'QUEUE_COMPLETED',
} as const satisfies { [Type in EventType]: Type };
registerEnumType(EventTypeEnum, {
  name: 'EventType',
  description: 'What other systems can be told of.',
  valuesConfig: {
    RESERVATION_HELD: { description: 'Seats are held.' },
    RESERVATION_EXPIRED: { description: 'A hold ran out.' },
    RESERVATION_CANCELLED: { description: 'A hold was given back.' },
    PAYMENT_MADE: { description: 'A reservation was paid.' },
    PAYMENT_REFUNDED: { description: 'A payment went back to the balance.' },
    CHARGE_MADE: { description: 'Money was added to a balance.' },
    QUEUE_JOINED: { description: 'A place in a queue was taken.' },
    QUEUE_ADMITTED: { description: 'A pass was given.' },
    QUEUE_LEFT: { description: 'A place or pass was given up.' },
    QUEUE_EXPIRED: { description: 'A pass ran out, or a waiter was absent too long.' },
    QUEUE_COMPLETED: { description: 'A pass ended by a payment.' },
  },
});

export const DeliveryStateEnum = { PENDING: 'PENDING', DELIVERED: 'DELIVERED', DEAD: 'DEAD' } as const satisfies { [State in DeliveryState]: State };
registerEnumType(DeliveryStateEnum, {
  name: 'DeliveryState',
  description: 'PENDING, then DELIVERED, or DEAD after the last attempt failed; DEAD may become PENDING again.',
  valuesConfig: {
    PENDING: { description: 'To be tried, now or later.' },
    DELIVERED: { description: 'Answered with a status from 200 to 299.' },
    DEAD: { description: 'Every attempt failed.' },
  },
});

export const CancellationStatusEnum = { RUNNING: 'RUNNING', DONE: 'DONE' } as const satisfies { [Status in CancellationStatus]: Status };
registerEnumType(CancellationStatusEnum, {
  name: 'CancellationStatus',
  description: 'RUNNING, and DONE once nobody holds or owns seats of the date.',
  valuesConfig: {
    RUNNING: { description: 'Something is still to be given back.' },
    DONE: { description: 'Everything was given back.' },
  },
});
