import { Field, ID, Int, ObjectType } from 'type-graphql';
import type { CancellationStatus } from '../domain/states.js';
import { CancellationStatusEnum } from './enums.js';
import { DateTime, Money } from './scalars.js';
import { Schedule } from './schedule.type.js';

@ObjectType({ description: 'A reservation of a cancelled date that could not be given back yet. It is tried again by itself, later each time, at least once a minute.', simpleResolvers: true })
export class CancellationFailure {
  @Field(() => ID, { description: 'UUID of the reservation.' })
  reservationId!: string;

  @Field(() => String, { description: 'Why the last attempt failed.' })
  error!: string;

  @Field(() => Int, { description: 'How often it failed.' })
  attempts!: number;

  @Field(() => DateTime, { description: 'When it failed last.' })
  failedAt!: Date;
}

@ObjectType({ description: 'How far a cancelled date is with giving back what was held and paid.', simpleResolvers: true })
export class ScheduleCancellation {
  @Field(() => Schedule, { description: 'The date.' })
  schedule!: Schedule;

  @Field(() => CancellationStatusEnum, { description: 'Whether something is left to do.' })
  status!: CancellationStatus;

  @Field(() => Int, { description: 'Payments that stood when the date was cancelled.' })
  paymentsTotal!: number;

  @Field(() => Int, { description: 'Those of them that were refunded since, also by their buyers.' })
  paymentsRefunded!: number;

  @Field(() => Money, { description: 'What went back to balances since.' })
  refundedAmount!: number;

  @Field(() => Int, { description: 'Holds that were ended since, also by their buyers.' })
  holdsCancelled!: number;

  @Field(() => Int, { description: 'Holds and payments that are still to be given back; 0 once it is DONE.' })
  reservationsLeft!: number;

  @Field(() => [CancellationFailure], { description: 'Those left that failed, at most 20, the last to fail first.' })
  failures!: CancellationFailure[];

  @Field(() => DateTime, { description: 'When the date was cancelled.' })
  startedAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When the last of it was given back; null while it is RUNNING.' })
  finishedAt!: Date | null;
}
