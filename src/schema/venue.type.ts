import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';

@ObjectType({ description: 'A row of a section.', simpleResolvers: true })
export class VenueRow {
  @Field(() => String, { description: 'As printed on the ticket, such as A or 12.' })
  name!: string;

  @Field(() => String, { description: 'Grade of all seats of the row, such as VIP, R or S.' })
  grade!: string;

  @Field(() => Int, { description: 'Seats in the row.' })
  seatCount!: number;
}

@ObjectType({ description: 'A section of a venue, front row first.', simpleResolvers: true })
export class VenueSection {
  @Field(() => String, { description: 'As printed on the ticket.' })
  name!: string;

  @Field(() => [VenueRow], { description: 'Its rows, front first.' })
  rows!: VenueRow[];
}

@ObjectType({ description: 'Where concerts take place.' })
export class Venue {
  @Field(() => ID, { description: 'UUID.' })
  id!: string;

  @Field(() => String, { description: 'Up to 200 characters.' })
  name!: string;

  @Field(() => String, { nullable: true, description: 'Up to 300 characters.' })
  address!: string | null;

  @Field(() => String, { description: 'IANA name, e.g. Asia/Seoul.' })
  timeZone!: string;

  @Field(() => [VenueSection], { description: 'The usual layout: what a date gets when it is created without sections of its own.' })
  sections!: VenueSection[];
}

@InputType({ description: 'A row of a section.' })
export class RowInput {
  @Field(() => String, { description: '1 to 20 characters, unique in its section.' })
  name!: string;

  @Field(() => String, { description: '1 to 20 characters, such as VIP, R or S.' })
  grade!: string;

  @Field(() => Int, { description: '1 to 100,000.' })
  seatCount!: number;
}

@InputType({ description: 'A section with its rows. Seats are numbered through, in the order given.' })
export class SectionInput {
  @Field(() => String, { description: '1 to 50 characters, unique in the layout.' })
  name!: string;

  @Field(() => [RowInput], { description: 'At least one row.' })
  rows!: RowInput[];
}
