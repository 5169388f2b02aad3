import { Field, ID, InputType } from 'type-graphql';
import { DateTime, Money } from './scalars.js';

@InputType({ description: 'What a seat of a grade costs.' })
export class PriceInput {
  @Field(() => String, { description: '1 to 20 characters, each grade once.' })
  grade!: string;

  @Field(() => Money, { description: 'From 1 to 1,000,000,000,000, in the minor unit.' })
  amount!: number;
}

@InputType({ description: 'A new concert. Its dates are added with createSchedule.' })
export class CreateConcertInput {
  @Field(() => ID, { description: 'UUID of the venue.' })
  venueId!: string;

  @Field(() => String, { description: '1 to 200 characters.' })
  title!: string;

  @Field(() => String, { description: '1 to 200 characters.' })
  artist!: string;

  @Field(() => DateTime, { description: 'From then on the queue admits; it can be joined one hour before.' })
  saleOpensAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'After saleOpensAt; without it the sale runs until the last date begins.' })
  saleClosesAt?: Date | null;

  @Field(() => [PriceInput], { description: '1 to 50 grades. Every grade of its dates needs a price.' })
  prices!: PriceInput[];
}

@InputType({ description: 'What to change in a concert; what is left out stays.' })
export class UpdateConcertInput {
  @Field(() => String, { nullable: true, description: '1 to 200 characters.' })
  title?: string | null;

  @Field(() => String, { nullable: true, description: '1 to 200 characters.' })
  artist?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'May be moved at any time. Passes that were given stay; reserve answers SaleNotOpen until then.' })
  saleOpensAt?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'After saleOpensAt; null: until the last date begins.' })
  saleClosesAt?: Date | null;
}
