import { Field, InputType, Int } from 'type-graphql';

@InputType({ description: "What to change in a queue's policy: a value is kept for the concert, null goes back to the configured default, what is left out stays." })
export class QueuePolicyInput {
  @Field(() => Int, { nullable: true, description: 'How many are admitted each interval: 1 to 1,000,000.' })
  admitCount?: number | null;

  @Field(() => Int, { nullable: true, description: 'The interval in ms: 1 to 86,400,000.' })
  admitIntervalMs?: number | null;

  @Field(() => Int, { nullable: true, description: 'How many may be ACTIVE at once: 0 to 1,000,000. 0 stops admission; lowering it revokes nobody.' })
  activeMax?: number | null;
}
