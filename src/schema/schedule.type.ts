import { createUnionType, Field, ID, Int, ObjectType } from 'type-graphql';
import { resultTypeOf, SeatsNotRemovable } from './refusal.type.js';
import { DateTime } from './scalars.js';

@ObjectType({ description: 'A date of a concert.', simpleResolvers: true })
export class Schedule {
  @Field(() => ID, { description: 'UUID.' })
  id!: string;

  @Field(() => DateTime, { description: 'When the concert begins. Nothing is sold or refunded from then on.' })
  startsAt!: Date;

  @Field(() => Int, { description: 'Seats of the date. Their numbers are 1 to this unless seats were removed: the others keep their numbers.' })
  totalSeats!: number;

  @Field(() => DateTime, {
    nullable: true,
    description: 'When the date was cancelled: from then on nothing of it is reserved or paid, and every payment is refunded. Null: it takes place.',
  })
  cancelledAt!: Date | null;
}

export const RemoveSeatsResult = createUnionType({
  name: 'RemoveSeatsResult',
  description: 'The date without the seats, or why they stay.',
  types: () => [Schedule, SeatsNotRemovable] as const,
  resolveType: resultTypeOf('Schedule'),
});

export const DeleteScheduleResult = createUnionType({
  name: 'DeleteScheduleResult',
  description: 'The date as it was deleted, or why it stays.',
  types: () => [Schedule, SeatsNotRemovable] as const,
  resolveType: resultTypeOf('Schedule'),
});
