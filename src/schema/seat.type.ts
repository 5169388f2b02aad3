import { Field, ID, Int, ObjectType } from 'type-graphql';
import type { SeatStatus } from '../domain/states.js';
import { SeatStatusEnum } from './enums.js';
import { Money } from './scalars.js';

@ObjectType({ description: 'A seat of a date.', simpleResolvers: true })
export class Seat {
  @Field(() => ID, { description: 'UUID.' })
  id!: string;

  @Field(() => Int, { description: 'From 1, unique in its date: what reserve takes.' })
  number!: number;

  @Field(() => String, { description: 'As printed on the ticket.' })
  section!: string;

  @Field(() => String, { description: 'As printed on the ticket.' })
  row!: string;

  @Field(() => String, { description: 'Such as VIP, R or S.' })
  grade!: string;

  @Field(() => Money, { description: 'What it costs now.' })
  price!: number;

  @Field(() => SeatStatusEnum, { description: 'As of this answer: a hold that has run out counts as AVAILABLE.' })
  status!: SeatStatus;
}
