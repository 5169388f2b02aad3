import { createUnionType, Field, ID, InputType, ObjectType } from 'type-graphql';
import { BalanceLimitExceeded, IdempotencyKeyReused, resultTypeOf } from './refusal.type.js';
import { DateTime, Money } from './scalars.js';

@ObjectType({ description: 'Money added to a balance.', simpleResolvers: true })
export class Charge {
  @Field(() => ID, { description: 'UUID.' })
  id!: string;

  @Field(() => Money, { description: 'What was added.' })
  amount!: number;

  @Field(() => Money, { description: 'The balance after this charge.' })
  balance!: number;

  @Field(() => DateTime, { description: 'When it was added.' })
  chargedAt!: Date;
}

@InputType({ description: 'idempotencyKey: 1 to 255 printable ASCII characters, per user, kept for ever.' })
export class ChargeInput {
  @Field(() => Money, { description: 'What to add: positive, at most the configured CHARGE_MAX.' })
  amount!: number;

  @Field(() => String, { description: 'Made by the client, one for each charge it means: sending it again cannot charge again.' })
  idempotencyKey!: string;
}

export const ChargeResult = createUnionType({
  name: 'ChargeResult',
  description: 'The charge, or why there is none.',
  types: () => [Charge, IdempotencyKeyReused, BalanceLimitExceeded] as const,
  resolveType: resultTypeOf('Charge'),
});
