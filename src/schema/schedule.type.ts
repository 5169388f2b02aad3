import { Field, ID, Int, ObjectType } from 'type-graphql';
import { DateTime } from './scalars.js';

@ObjectType({ description: 'A date of a concert.' })
export class Schedule {
  @Field(() => ID, { description: 'UUID.' })
  id!: string;

  @Field(() => DateTime, { description: 'When the concert begins. Nothing is sold or refunded from then on.' })
  startsAt!: Date;

  @Field(() => Int, { description: 'Seats of the date; their numbers are 1 to this unless seats were removed.' })
  totalSeats!: number;
}
