export const SEAT_STATUSES = ['AVAILABLE', 'HELD', 'SOLD'] as const;
export type SeatStatus = (typeof SEAT_STATUSES)[number];

export const RESERVATION_STATUSES = ['HELD', 'CONFIRMED', 'EXPIRED', 'CANCELLED', 'REFUNDED'] as const;
export type ReservationStatus = (typeof RESERVATION_STATUSES)[number];

export const PAYMENT_STATUSES = ['PAID', 'REFUNDED'] as const;
export type PaymentStatus = (typeof PAYMENT_STATUSES)[number];

export const QUEUE_STATUSES = ['WAITING', 'ACTIVE', 'COMPLETED', 'EXPIRED'] as const;
export type QueueStatus = (typeof QUEUE_STATUSES)[number];

export const ROLES = ['USER', 'ADMIN'] as const;
export type Role = (typeof ROLES)[number];

/** Why a pass or a place ended: its time ran out, its reservation was paid, its user left, or was not seen for the grace while waiting. */
export const PASS_ENDINGS = ['TIME', 'PAID', 'LEFT', 'ABSENT'] as const;
export type PassEnding = (typeof PASS_ENDINGS)[number];

export const LEDGER_KINDS = ['CHARGE', 'PAYMENT', 'REFUND'] as const;
export type LedgerKind = (typeof LEDGER_KINDS)[number];

/** A cancelled date is DONE once nobody holds or owns seats of it. */
export const CANCELLATION_STATUSES = ['RUNNING', 'DONE'] as const;
export type CancellationStatus = (typeof CANCELLATION_STATUSES)[number];

/** DEAD after the last attempt failed, until an admin has it delivered again. */
export const DELIVERY_STATES = ['PENDING', 'DELIVERED', 'DEAD'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];
