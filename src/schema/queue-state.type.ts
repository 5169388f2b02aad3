import { Field, Int, ObjectType } from 'type-graphql';

@ObjectType({ description: "How fast and how far a concert's queue admits: what an admin set for the concert, else the configured default.", simpleResolvers: true })
export class QueuePolicy {
  @Field(() => Int, { description: 'How many are admitted each interval.' })
  admitCount!: number;

  @Field(() => Int, { description: 'The interval in ms.' })
  admitIntervalMs!: number;

  @Field(() => Int, { description: 'How many may be ACTIVE at once.' })
  activeMax!: number;
}

@ObjectType({ description: "A concert's queue as an operator sees it.", simpleResolvers: true })
export class QueueState {
  @Field(() => Int, { description: 'People waiting now.' })
  waiting!: number;

  @Field(() => Int, { description: 'People whose pass is ACTIVE now.' })
  active!: number;

  @Field(() => QueuePolicy, { description: 'The policy in force.' })
  policy!: QueuePolicy;
}
