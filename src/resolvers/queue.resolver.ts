import { Arg, Ctx, ID, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql';
import type { Context } from '../context.js';
import type { QueuePosition as Position } from '../domain/queue.js';
import { QueuePosition, QueueToken } from '../schema/queue.type.js';
import { Direct, SignedIn, viewerOf } from './access.js';
import { EventAsIs } from './event-as-is.js';

interface SubscribeData {
  args: { concertId: string };
  context: Context;
}

@Resolver(() => QueuePosition)
export class QueueResolver {
  @SignedIn()
  @Query(() => QueuePosition, {
    nullable: true,
    description: "One's own position in a concert's queue, for clients that poll. A queue token sent along (x-queue-token) brings a place back that the server has lost. Null if one has not joined, and an hour after the end.",
  })
  queuePosition(@Arg('concertId', () => ID, { description: 'UUID of the concert.' }) concertId: string, @Ctx() context: Context) {
    return context.services.queue.position(viewerOf(context), concertId, context.queueToken);
  }

  @SignedIn()
  @Direct('concertId')
  @Mutation(() => QueueToken, {
    description:
      "Takes a place in the concert's queue, or returns the one already held while WAITING or ACTIVE; after COMPLETED or EXPIRED a new place at the end (the old token is dead). Possible from 1 hour before saleOpensAt (BAD_USER_INPUT earlier); admission starts at saleOpensAt. Once the sale is over (closed, or every date has begun) nobody new may join (BAD_USER_INPUT) and nobody is admitted. Send the queue token you hold (x-queue-token): should the server have lost the line, it brings its place back, in the old order, also from a newer place.",
  })
  joinQueue(@Arg('concertId', () => ID, { description: 'UUID of the concert.' }) concertId: string, @Ctx() context: Context) {
    return context.services.queue.join(viewerOf(context), concertId, context.queueToken);
  }

  @SignedIn()
  @Mutation(() => Boolean, { description: 'Gives the place or pass up. Holds stay. False if there was none.' })
  leaveQueue(@Arg('concertId', () => ID, { description: 'UUID of the concert.' }) concertId: string, @Ctx() context: Context) {
    return context.services.queue.leave(viewerOf(context), concertId, context.queueToken);
  }

  @SignedIn()
  @EventAsIs()
  @Subscription(() => QueuePosition, {
    name: 'queuePosition',
    description:
      "One's own position: now, at once when the status changes, and a changed position at the latest 10 s after the change (1 s for the first 1,000 in line). Each message is exact for the instant it was computed. The last message carries COMPLETED or EXPIRED, then it completes. Needs the access token only, and lasts when the server loses the line; not joined: QUEUE_TOKEN_REQUIRED.",
    subscribe: ({ args, context }: SubscribeData) => context.services.queue.watch(viewerOf(context), args.concertId, context.queueToken) as never,
  })
  watchQueuePosition(
    @Root() position: Position,
    @Arg('concertId', () => ID, { description: 'UUID of the concert.' }) _concertId: string,
  ): Position {
    return position;
  }
}
