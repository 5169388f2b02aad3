import { Arg, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.js';
import { CreateConcertInput, PriceInput, QueuePolicyInput, UpdateConcertInput } from '../schema/concert.input.js';
import { Concert } from '../schema/concert.type.js';
import { QueuePolicy, QueueState } from '../schema/queue-state.type.js';
import { Admin } from './access.js';

@Resolver()
export class ConcertAdminResolver {
  @Admin()
  @Mutation(() => Concert, { description: 'Admin: adds a concert with its prices. Readers see it at once.' })
  createConcert(@Arg('input', () => CreateConcertInput, { description: 'The new concert.' }) input: CreateConcertInput, @Ctx() context: Context) {
    return context.services.concerts.create(input);
  }

  @Admin()
  @Mutation(() => Concert, { description: 'Admin: changes a concert, its sale window included. NOT_FOUND without such a concert.' })
  updateConcert(
    @Arg('id', () => ID, { description: 'UUID of the concert.' }) id: string,
    @Arg('input', () => UpdateConcertInput, { description: 'What to change.' }) input: UpdateConcertInput,
    @Ctx() context: Context,
  ) {
    return context.services.concerts.update(id, input);
  }

  @Admin()
  @Mutation(() => Concert, {
    description:
      'Admin: sets prices of a concert and of its AVAILABLE seats, all together. HELD and SOLD seats keep their price, also when they come free again, until prices are set anew. Grades not named stay. NOT_FOUND without such a concert.',
  })
  setPrices(
    @Arg('concertId', () => ID, { description: 'UUID of the concert.' }) concertId: string,
    @Arg('prices', () => [PriceInput], { description: '1 to 50, each grade once.' }) prices: PriceInput[],
    @Ctx() context: Context,
  ) {
    return context.services.concerts.setPrices(concertId, prices);
  }

  @Admin()
  @Query(() => QueueState, { description: "Admin: a concert's queue now: how many wait, how many are ACTIVE, and the policy in force. NOT_FOUND without such a concert." })
  async queue(@Arg('concertId', () => ID, { description: 'UUID of the concert.' }) concertId: string, @Ctx() context: Context) {
    const policy = await context.services.concerts.queuePolicy(concertId);
    return { ...(await context.services.queue.counts(concertId)), policy };
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
    return context.services.concerts.setQueuePolicy(concertId, input);
  }
}
