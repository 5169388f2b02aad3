import { Arg, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.js';
import { ScheduleCancellation } from '../schema/schedule-cancellation.type.js';
import { Admin } from './access.js';

@Resolver()
export class CancellationResolver {
  @Admin()
  @Query(() => ScheduleCancellation, { nullable: true, description: 'Admin: how far a cancelled date is; null while it is not cancelled. NOT_FOUND without such a date.' })
  scheduleCancellation(@Arg('scheduleId', () => ID, { description: 'UUID of the date.' }) scheduleId: string, @Ctx() context: Context) {
    return context.services.cancellations.find(scheduleId);
  }

  @Admin()
  @Mutation(() => ScheduleCancellation, {
    description:
      'Admin: cancels a date for good. From then on nothing of it is reserved or paid; its holds are ended and its payments refunded, also after it would have begun. A worker does that, scheduleCancellation tells how far it is. Repeating it tells the same. NOT_FOUND without such a date.',
  })
  cancelSchedule(@Arg('id', () => ID, { description: 'UUID of the date.' }) id: string, @Ctx() context: Context) {
    return context.services.cancellations.cancel(id);
  }
}
