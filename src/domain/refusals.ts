import type { ReservationStatus } from './states.js';

/**
 * The world said no, and the client is expected to meet it. Thrown by a service, so that its transaction rolls back; the resolver's
 * edge turns it into the union member named by `typeName`.
 */
export abstract class Refusal extends Error {
  abstract readonly typeName: string;

  /** Where it was thrown is nobody's question, and finding out costs more than all else of a refusal: a crowd is refused by the thousand. */
  constructor(message: string) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
  }
}

export class EmailTaken extends Refusal {
  readonly typeName = 'EmailTaken';
  constructor() {
    super('An account with this e-mail exists already.');
  }
}

export class InvalidCredentials extends Refusal {
  readonly typeName = 'InvalidCredentials';
  constructor() {
    super('E-mail or password is wrong.');
  }
}

export class SeatsUnavailable extends Refusal {
  readonly typeName = 'SeatsUnavailable';
  constructor(readonly seatNumbers: number[]) {
    super(`Not available: ${seatNumbers.join(', ')}.`);
  }
}

export class SeatLimitExceeded extends Refusal {
  readonly typeName = 'SeatLimitExceeded';
  constructor(readonly limit: number) {
    super(`One user may hold or own at most ${limit} seats of a concert.`);
  }
}

export class SaleNotOpen extends Refusal {
  readonly typeName = 'SaleNotOpen';
  constructor(readonly opensAt: Date) {
    super('The sale has not opened yet.');
  }
}

export class SaleClosed extends Refusal {
  readonly typeName = 'SaleClosed';
  constructor(readonly closedAt: Date) {
    super('The sale has closed.');
  }
}

export class ReservationNotCancellable extends Refusal {
  readonly typeName = 'ReservationNotCancellable';
  constructor(readonly status: ReservationStatus) {
    super(`A reservation that is ${status} cannot be cancelled.`);
  }
}

export class BalanceLimitExceeded extends Refusal {
  readonly typeName = 'BalanceLimitExceeded';
  constructor(
    readonly limit: number,
    readonly balance: number,
  ) {
    super(`A balance may not exceed ${limit}.`);
  }
}

export class PaymentNotRefundable extends Refusal {
  readonly typeName = 'PaymentNotRefundable';
  constructor(readonly status: ReservationStatus) {
    super('The payment can no longer be refunded: the date has begun.');
  }
}

export class IdempotencyKeyReused extends Refusal {
  readonly typeName = 'IdempotencyKeyReused';
  constructor() {
    super('This idempotency key was used before with another amount.');
  }
}

export class InsufficientBalance extends Refusal {
  readonly typeName = 'InsufficientBalance';
  constructor(
    readonly balance: number,
    readonly required: number,
  ) {
    super(`The balance is ${balance}, the price is ${required}.`);
  }
}

export class ReservationNotPayable extends Refusal {
  readonly typeName = 'ReservationNotPayable';
  constructor(readonly status: ReservationStatus) {
    super(`A reservation that is ${status} cannot be paid.`);
  }
}

export class SeatsNotRemovable extends Refusal {
  readonly typeName = 'SeatsNotRemovable';
  constructor(readonly seatNumbers: number[]) {
    super('Seats that are held or sold cannot be removed.');
  }
}
