import { Arg, Ctx, ID, Int, Mutation, Resolver } from 'type-graphql';
import type { Context } from '../context.js';
import { CreateScheduleInput, UpdateScheduleInput } from '../schema/schedule.input.js';
import { DeleteScheduleResult, RemoveSeatsResult, Schedule } from '../schema/schedule.type.js';
import { Admin } from './access.js';
import { orRefusal } from './result.js';

@Resolver()
export class ScheduleAdminResolver {
  @Admin()
  @Mutation(() => Schedule, {
    description: 'Admin: adds a date with all its seats, or nothing. Seats are numbered through from 1. NOT_FOUND without such a concert.',
  })
  createSchedule(@Arg('input', () => CreateScheduleInput, { description: 'The new date.' }) input: CreateScheduleInput, @Ctx() context: Context) {
    return context.services.schedules.create(input);
  }

  @Admin()
  @Mutation(() => Schedule, { description: 'Admin: moves a date. NOT_FOUND without such a date.' })
  updateSchedule(
    @Arg('id', () => ID, { description: 'UUID of the date.' }) id: string,
    @Arg('input', () => UpdateScheduleInput, { description: 'What to change.' }) input: UpdateScheduleInput,
    @Ctx() context: Context,
  ) {
    return context.services.schedules.update(id, input);
  }

  @Admin()
  @Mutation(() => RemoveSeatsResult, {
    description: 'Admin: removes seats from a date, all that are named or none. The others keep their numbers. NOT_FOUND without such a date.',
  })
  removeSeats(
    @Arg('scheduleId', () => ID, { description: 'UUID of the date.' }) scheduleId: string,
    @Arg('seatNumbers', () => [Int], { description: '1 to 1,000 seat numbers of the date, none twice.' }) seatNumbers: number[],
    @Ctx() context: Context,
  ) {
    return orRefusal(context.services.schedules.removeSeats(scheduleId, seatNumbers));
  }

  @Admin()
  @Mutation(() => DeleteScheduleResult, {
    description: 'Admin: deletes a date of which no seat is held or sold. Reservations of the past still name it. NOT_FOUND without such a date.',
  })
  deleteSchedule(@Arg('id', () => ID, { description: 'UUID of the date.' }) id: string, @Ctx() context: Context) {
    return orRefusal(context.services.schedules.delete(id));
  }
}
