import { Field, Int, InterfaceType, ObjectType } from 'type-graphql';
import type { Refusal as DomainRefusal } from '../domain/refusals.js';
import type { ReservationStatus } from '../domain/states.js';
import { ReservationStatusEnum } from './enums.js';
import { DateTime, Money } from './scalars.js';

@InterfaceType({
  description: 'A refusal that a client is expected to meet. Everything else is a top-level error with extensions.code.',
  resolveType: (value: Pick<DomainRefusal, 'typeName'>) => value.typeName,
})
export abstract class Refusal {
  @Field(() => String, { description: 'What was refused and why, in English, for people.' })
  message!: string;
}

@ObjectType({ implements: Refusal, description: 'An account with this e-mail exists already.', simpleResolvers: true })
export class EmailTaken extends Refusal {}

@ObjectType({ implements: Refusal, description: 'The e-mail or the password is wrong; which of the two is never told.', simpleResolvers: true })
export class InvalidCredentials extends Refusal {}

@ObjectType({ implements: Refusal, description: 'Some of the seats are held or sold. Nothing was reserved.', simpleResolvers: true })
export class SeatsUnavailable extends Refusal {
  @Field(() => [Int], { description: 'The seats that are taken, ascending.' })
  seatNumbers!: number[];
}

@ObjectType({ implements: Refusal, description: "The user's seats of this concert, held and owned together, would pass the limit.", simpleResolvers: true })
export class SeatLimitExceeded extends Refusal {
  @Field(() => Int, { description: 'Seats one user may hold or own per concert.' })
  limit!: number;
}

@ObjectType({ implements: Refusal, description: 'The opening was moved after the pass was given.', simpleResolvers: true })
export class SaleNotOpen extends Refusal {
  @Field(() => DateTime, { description: 'When the sale opens.' })
  opensAt!: Date;
}

@ObjectType({ implements: Refusal, description: 'The sale ended, or the date has begun or was cancelled.', simpleResolvers: true })
export class SaleClosed extends Refusal {
  @Field(() => DateTime, { description: 'When the sale closed; of a cancelled date when it was cancelled.' })
  closedAt!: Date;
}

@ObjectType({ implements: Refusal, description: 'Only a live hold can be cancelled.', simpleResolvers: true })
export class ReservationNotCancellable extends Refusal {
  @Field(() => ReservationStatusEnum, { description: 'What the reservation is now.' })
  status!: ReservationStatus;
}

@ObjectType({ implements: Refusal, description: 'The charge would take the balance over its limit. Nothing was charged.', simpleResolvers: true })
export class BalanceLimitExceeded extends Refusal {
  @Field(() => Money, { description: 'The most a balance may reach.' })
  limit!: number;

  @Field(() => Money, { description: 'The balance now.' })
  balance!: number;
}

@ObjectType({ implements: Refusal, description: 'The date has begun: its payments are no longer refunded.', simpleResolvers: true })
export class PaymentNotRefundable extends Refusal {
  @Field(() => ReservationStatusEnum, { description: 'What the reservation is now.' })
  status!: ReservationStatus;
}

@ObjectType({ implements: Refusal, description: 'The idempotency key was used before with another amount. Nothing was charged.', simpleResolvers: true })
export class IdempotencyKeyReused extends Refusal {}

@ObjectType({ implements: Refusal, description: 'The balance does not cover the price. The hold stays.', simpleResolvers: true })
export class InsufficientBalance extends Refusal {
  @Field(() => Money, { description: 'The balance now.' })
  balance!: number;

  @Field(() => Money, { description: 'The price of the reservation.' })
  required!: number;
}

@ObjectType({ implements: Refusal, description: 'The hold is over, was given back, its date was cancelled, or its payment was refunded.', simpleResolvers: true })
export class ReservationNotPayable extends Refusal {
  @Field(() => ReservationStatusEnum, { description: 'What the reservation is now.' })
  status!: ReservationStatus;
}

@ObjectType({ implements: Refusal, description: 'Seats that are held or sold cannot be removed. Nothing was removed.', simpleResolvers: true })
export class SeatsNotRemovable extends Refusal {
  @Field(() => [Int], { description: 'The seats that are held or sold, ascending.' })
  seatNumbers!: number[];
}

/** Tells the members of a result union apart: a refusal names its own type, anything else is the success. */
export const resultTypeOf =
  (success: string) =>
  (value: object): string =>
    'typeName' in value ? String(value.typeName) : success;
