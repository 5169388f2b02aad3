import { Field, ID, Int, ObjectType } from 'type-graphql';
import type { QueueStatus } from '../domain/states.js';
import { QueueStatusEnum } from './enums.js';
import { DateTime } from './scalars.js';

@ObjectType({ description: "A user's place in a concert's queue, exact for the instant it was computed.", simpleResolvers: true })
export class QueuePosition {
  @Field(() => ID, { description: 'UUID of the concert.' })
  concertId!: string;

  @Field(() => ID, { description: 'UUID of the user.' })
  userId!: string;

  @Field(() => QueueStatusEnum, { description: 'Where the user stands.' })
  status!: QueueStatus;

  @Field(() => Int, { description: 'Rank among those waiting, 1 is next; 0 unless WAITING.' })
  position!: number;

  @Field(() => Int, { description: 'People waiting in this queue now.' })
  waiting!: number;

  @Field(() => Int, {
    nullable: true,
    description: 'From the admissions of the last 5 intervals; null until one has passed, while admission stands still, once the sale is over, or unless WAITING.',
  })
  estimatedWaitSeconds!: number | null;

  @Field(() => DateTime, { nullable: true, description: 'When the pass ends; set only while ACTIVE.' })
  expiresAt!: Date | null;

  @Field(() => Boolean, { description: 'False when no date that is still to begin has a seat that is left or held.' })
  seatsMayRemain!: boolean;
}

@ObjectType({ description: "The signed proof of a place in a concert's queue.", simpleResolvers: true })
export class QueueToken {
  @Field(() => String, { description: "Send it as the X-Queue-Token header, or as queueToken in the websocket's connection parameters." })
  token!: string;

  @Field(() => QueuePosition, { description: 'Where the user stands now.' })
  position!: QueuePosition;
}
