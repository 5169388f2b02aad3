import { Field, InputType, Int } from 'type-graphql';

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

  @Field(() => [RowInput], { description: '1 to 1,000 rows, front first.' })
  rows!: RowInput[];
}

@InputType({ description: 'A new venue.' })
export class CreateVenueInput {
  @Field(() => String, { description: '1 to 200 characters.' })
  name!: string;

  @Field(() => String, { nullable: true, description: '1 to 300 characters.' })
  address?: string | null;

  @Field(() => String, { description: 'IANA name, e.g. Asia/Seoul.' })
  timeZone!: string;

  @Field(() => [SectionInput], { description: 'The usual layout: 1 to 500 sections with at most 100,000 seats together.' })
  sections!: SectionInput[];
}

@InputType({ description: 'What to change in a venue; what is left out stays.' })
export class UpdateVenueInput {
  @Field(() => String, { nullable: true, description: '1 to 200 characters.' })
  name?: string | null;

  @Field(() => String, { nullable: true, description: '1 to 300 characters; null takes the address away.' })
  address?: string | null;

  @Field(() => String, { nullable: true, description: 'IANA name, e.g. Asia/Seoul.' })
  timeZone?: string | null;

  @Field(() => [SectionInput], { nullable: true, description: 'The whole new layout, for dates created from now on.' })
  sections?: SectionInput[] | null;
}
