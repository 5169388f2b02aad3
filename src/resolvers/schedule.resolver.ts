import { Arg, Ctx, FieldResolver, ID, Int, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.js';
import type { Schedule as ScheduleEntity } from '../database/entities/schedule.entity.js';
import { Concert } from '../schema/concert.type.js';
import { Schedule } from '../schema/schedule.type.js';
import { Public } from './access.js';

@Resolver(() => Schedule)
export class ScheduleResolver {
  @Public()
  @Query(() => [Schedule], {
    description: 'Dates of a concert, earliest first. availableOnly leaves out those with no seat left, those that have begun and those that were cancelled. NOT_FOUND without such a concert.',
  })
  schedules(
    @Arg('concertId', () => ID, { description: 'UUID of the concert.' }) concertId: string,
    @Arg('availableOnly', () => Boolean, { defaultValue: false, description: 'Leave out dates with no seat left, those that have begun and those that were cancelled.' }) availableOnly: boolean,
    @Ctx() context: Context,
  ) {
    return context.services.schedules.ofConcert(concertId, availableOnly, context.loaders);
  }

  @FieldResolver(() => Concert, { description: 'The concert it is a date of.' })
  concert(@Root() schedule: ScheduleEntity, @Ctx() context: Context) {
    return context.loaders.concert.load(schedule.concertId);
  }

  @FieldResolver(() => Int, { description: 'Seats that are neither held nor sold; none once the date has begun or was cancelled.' })
  availableSeats(@Root() schedule: ScheduleEntity, @Ctx() context: Context) {
    return context.loaders.availableSeats.load(schedule.id);
  }
}
