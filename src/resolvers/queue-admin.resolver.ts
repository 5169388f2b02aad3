import { Arg, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.js';
import { QueuePolicyInput } from '../schema/queue.input.js';
import { QueuePolicy, QueueState } from '../schema/queue-state.type.js';
import { Admin } from './access.js';

@Resolver()
export class QueueAdminResolver {
  @Admin()
  @Query(() => QueueState, { description: "Admin: a concert's queue now: how many wait, how many are ACTIVE, and the policy in force. NOT_FOUND without such a concert." })
  queue(@Arg('concertId', () => ID, { description: 'UUID of the concert.' }) concertId: string, @Ctx() context: Context) {
    return context.services.queue.state(concertId);
  }

  @Admin()
  @Mutation(() => QueuePolicy, {
    description: "Admin: changes the rate and limits of a concert's queue, also while it runs. Answers the policy in force. NOT_FOUND without such a concert.",
  })
  setQueuePolicy(
    @Arg('concertId', () => ID, { description: 'UUID of the concert.' }) concertId: string,
    @Arg('input', () => QueuePolicyInput, { description: 'What to change.' }) input: QueuePolicyInput,
    @Ctx() context: Context,
  ) {
    return context.services.queue.setPolicy(concertId, input);
  }
}
