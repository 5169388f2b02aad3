import { Ctx, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.js';
import { DateTime } from '../schema/scalars.js';
import { Public } from './access.js';

@Resolver()
export class ClockResolver {
  @Public()
  @Query(() => DateTime, { description: "The server's clock, for countdowns." })
  now(@Ctx() context: Context) {
    return context.services.clock.now();
  }
}
