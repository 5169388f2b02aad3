import { Field, ID, Int, ObjectType } from 'type-graphql';
import { PageInfo } from './page-info.type.js';

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

@ObjectType({ description: 'Where concerts take place.', simpleResolvers: true })
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

@ObjectType({ description: 'A page of venues, newest first.', simpleResolvers: true })
export class VenueConnection {
  @Field(() => [Venue], { description: 'The venues of this page.' })
  nodes!: Venue[];

  @Field(() => PageInfo, { description: 'How to go on.' })
  pageInfo!: PageInfo;
}
