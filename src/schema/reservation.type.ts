import { createUnionType, Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import type { ReservationStatus } from '../domain/states.js';
import { ReservationStatusEnum } from './enums.js';
import { PageInfo } from './page-info.type.js';
import { ReservationNotCancellable, resultTypeOf, SaleClosed, SaleNotOpen, SeatLimitExceeded, SeatsUnavailable } from './refusal.type.js';
import { DateTime, Money } from './scalars.js';

@ObjectType({ description: 'A seat as it was when it was reserved.', simpleResolvers: true })
export class ReservedSeat {
  @Field(() => ID, { description: 'UUID of the seat.' })
  seatId!: string;

  @Field(() => Int, { description: "The seat's number." })
  number!: number;

  @Field(() => String, { description: 'Grade at the time of reserving.' })
  grade!: string;

  @Field(() => Money, { description: 'Price at the time of reserving.' })
  price!: number;
}

@ObjectType({ description: 'Seats of one date, held, bought or given back together.', simpleResolvers: true })
export class Reservation {
  @Field(() => ID, { description: 'UUID.' })
  id!: string;

  @Field(() => ReservationStatusEnum, { description: 'As of this answer: a hold that has run out is EXPIRED.' })
  status!: ReservationStatus;

  @Field(() => Money, { description: 'Sum of the captured prices.' })
  totalPrice!: number;

  @Field(() => DateTime, { description: 'When the hold ends, at the latest with the start of its date; meaningful while HELD.' })
  expiresAt!: Date;

  @Field(() => DateTime, { description: 'When the seats were reserved.' })
  createdAt!: Date;
}

@ObjectType({ description: 'A page of reservations, newest first.', simpleResolvers: true })
export class ReservationConnection {
  @Field(() => [Reservation], { description: 'The reservations of this page.' })
  nodes!: Reservation[];

  @Field(() => PageInfo, { description: 'How to go on.' })
  pageInfo!: PageInfo;
}

@InputType({ description: 'What to hold.' })
export class ReserveInput {
  @Field(() => ID, { description: 'UUID of the date.' })
  scheduleId!: string;

  @Field(() => [Int], { description: 'Seat numbers of the date, at least one, none twice.' })
  seatNumbers!: number[];
}

export const ReserveResult = createUnionType({
  name: 'ReserveResult',
  description: 'The reservation, or why there is none.',
  types: () => [Reservation, SeatsUnavailable, SeatLimitExceeded, SaleNotOpen, SaleClosed] as const,
  resolveType: resultTypeOf('Reservation'),
});

export const CancelResult = createUnionType({
  name: 'CancelResult',
  description: 'The cancelled reservation, or why it stays.',
  types: () => [Reservation, ReservationNotCancellable] as const,
  resolveType: resultTypeOf('Reservation'),
});
