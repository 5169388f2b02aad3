import { Field, Int, ObjectType } from 'type-graphql';
import type { SeatStatus } from '../domain/states.js';
import { SeatStatusEnum } from './enums.js';
import { Seat } from './seat.type.js';

@ObjectType({ description: 'The seats of a date at one instant.', simpleResolvers: true })
export class SeatMap {
  @Field(() => String, { description: 'The instant, for seatChanges. Opaque.' })
  sequence!: string;

  @Field(() => [Seat], { description: 'The seats, by number.' })
  seats!: Seat[];
}

@ObjectType({ description: 'A seat that changed its status.', simpleResolvers: true })
export class SeatChange {
  @Field(() => Int, { description: 'Its number.' })
  number!: number;

  @Field(() => SeatStatusEnum, { description: 'What it is now: several changes of a moment are one.' })
  status!: SeatStatus;
}

@ObjectType({ description: 'What became of the seats of a date since the message before. To be told of a seat what is known already does no harm.', simpleResolvers: true })
export class SeatChanges {
  @Field(() => String, { description: 'How far this message goes: with it seatChanges goes on where the connection was lost. Opaque.' })
  sequence!: string;

  @Field(() => [SeatChange], { description: 'Each seat once.' })
  changes!: SeatChange[];

  @Field(() => Boolean, { description: 'True: load seatMap again.' })
  resync!: boolean;
}
