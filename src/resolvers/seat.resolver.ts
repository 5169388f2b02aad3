import { Arg, Ctx, ID, Int, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.js';
import type { SeatStatus } from '../domain/states.js';
import { SeatStatusEnum } from '../schema/enums.js';
import { Seat } from '../schema/seat.type.js';
import { BehindQueue, SignedIn } from './access.js';
import { inParts } from './in-parts.js';

@Resolver(() => Seat)
export class SeatResolver {
  @SignedIn()
  @BehindQueue({ scheduleId: (args: { scheduleId: string }) => args.scheduleId, countsAttempt: false })
  @Query(() => [Seat], { description: "Seats of a date, by number. Needs an ACTIVE pass for the date's concert." })
  async seats(
    @Arg('scheduleId', () => ID, { description: 'UUID of the date.' }) scheduleId: string,
    @Arg('status', () => SeatStatusEnum, { nullable: true, description: 'Only seats in this status.' }) status: SeatStatus | null,
    @Arg('section', () => String, { nullable: true, description: 'Only seats of this section; an unknown one has none.' }) section: string | null,
    @Arg('first', () => Int, { nullable: true, description: '1 to 100; all seats if not given.' }) first: number | null,
    @Arg('afterNumber', () => Int, { nullable: true, description: 'Only seats with a higher number; 0 or more.' }) afterNumber: number | null,
    @Ctx() context: Context,
  ) {
    const filter = { status: status ?? null, section: section ?? null, first: first ?? null, afterNumber: afterNumber ?? null };
    return inParts(await context.services.seats.ofSchedule(scheduleId, filter));
  }
}
