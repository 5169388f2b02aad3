import { Field, ID, InputType } from 'type-graphql';
import { DateTime } from './scalars.js';
import { SectionInput } from './venue.input.js';

@InputType({ description: 'A new date of a concert, with its seats.' })
export class CreateScheduleInput {
  @Field(() => ID, { description: 'UUID of the concert.' })
  concertId!: string;

  @Field(() => DateTime, { description: 'When the concert begins; in the future.' })
  startsAt!: Date;

  @Field(() => [SectionInput], {
    nullable: true,
    description: "Its sections, at most 100,000 seats together; the venue's layout if left out. Every grade needs a price of the concert.",
  })
  sections?: SectionInput[] | null;
}

@InputType({ description: 'What to change in a date.' })
export class UpdateScheduleInput {
  @Field(() => DateTime, { description: 'When the concert begins; in the future.' })
  startsAt!: Date;
}
