import { Field, ID, ObjectType } from 'type-graphql';
import { PageInfo } from './page-info.type.js';
import { DateTime, Money } from './scalars.js';

@ObjectType({ description: 'A concert, sold on one or more dates.', simpleResolvers: true })
export class Concert {
  @Field(() => ID, { description: 'UUID.' })
  id!: string;

  @Field(() => String, { description: 'Up to 200 characters.' })
  title!: string;

  @Field(() => String, { description: 'Up to 200 characters.' })
  artist!: string;

  @Field(() => DateTime, { description: 'From then on the queue admits. It can be joined from one hour before.' })
  saleOpensAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'Null: until the last date begins.' })
  saleClosesAt!: Date | null;
}

@ObjectType({ description: 'What a seat of a grade costs at a concert.', simpleResolvers: true })
export class ConcertPrice {
  @Field(() => String, { description: 'Such as VIP, R or S.' })
  grade!: string;

  @Field(() => Money, { description: 'What an available seat of the grade costs.' })
  amount!: number;
}

@ObjectType({ description: 'A page of concerts, newest first.', simpleResolvers: true })
export class ConcertConnection {
  @Field(() => [Concert], { description: 'The concerts of this page.' })
  nodes!: Concert[];

  @Field(() => PageInfo, { description: 'How to go on.' })
  pageInfo!: PageInfo;
}
