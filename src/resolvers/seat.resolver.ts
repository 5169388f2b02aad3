import { Arg, Ctx, ID, Int, Query, Resolver, Root, Subscription } from 'type-graphql';
import type { Context } from '../context.js';
import type { SeatFilter } from '../domain/seat-snapshot.js';
import type { SeatStatus } from '../domain/states.js';
import { SeatStatusEnum } from '../schema/enums.js';
import { SeatMap, SeatChanges } from '../schema/seat-map.type.js';
import { Seat } from '../schema/seat.type.js';
import type { SeatsEvent } from '../services/seat-rooms.js';
import { BehindQueue, SignedIn, viewerOf } from './access.js';
import { EventAsIs } from './event-as-is.js';
import { inParts } from './in-parts.js';
import { RowList } from './row-list.js';

interface WatchArgs {
  scheduleId: string;
  after?: string | null;
  queueToken?: string | null;
}

const OF_DATE = { scheduleId: (args: { scheduleId: string }) => args.scheduleId, countsAttempt: false };

type SeatsArgs = { scheduleId: string } & Partial<SeatFilter>;

const seatsOf = ({ scheduleId, status, section, first, afterNumber }: SeatsArgs, { services, reads }: Context) =>
  services.seats.ofSchedule(scheduleId, { status: status ?? null, section: section ?? null, first: first ?? null, afterNumber: afterNumber ?? null }, reads);

@Resolver(() => Seat)
export class SeatResolver {
  @SignedIn()
  @BehindQueue(OF_DATE)
  @RowList((args, context) => seatsOf(args as unknown as SeatsArgs, context))
  @Query(() => [Seat], { description: "Seats of a date, by number. Needs an ACTIVE pass for the date's concert." })
  async seats(
    @Arg('scheduleId', () => ID, { description: 'UUID of the date.' }) scheduleId: string,
    @Arg('status', () => SeatStatusEnum, { nullable: true, description: 'Only seats in this status.' }) status: SeatStatus | null,
    @Arg('section', () => String, { nullable: true, description: 'Only seats of this section; an unknown one has none.' }) section: string | null,
    @Arg('first', () => Int, { nullable: true, description: '1 to 100; all seats if not given.' }) first: number | null,
    @Arg('afterNumber', () => Int, { nullable: true, description: 'Only seats with a higher number; 0 or more.' }) afterNumber: number | null,
    @Ctx() context: Context,
  ) {
    return inParts(await seatsOf({ scheduleId, status, section, first, afterNumber }, context));
  }

  @SignedIn()
  @BehindQueue(OF_DATE)
  @Query(() => SeatMap, { description: 'Sequence and seats read at one instant; give the sequence to seatChanges. Needs an ACTIVE pass.' })
  async seatMap(
    @Arg('scheduleId', () => ID, { description: 'UUID of the date.' }) scheduleId: string,
    @Arg('section', () => String, { nullable: true, description: 'Only seats of this section; an unknown one has none.' }) section: string | null,
    @Ctx() context: Context,
  ) {
    const { sequence, seats } = await context.services.seats.map(scheduleId, section ?? null, context.reads);
    return { sequence, seats: inParts(seats) };
  }

  @SignedIn()
  @BehindQueue(OF_DATE)
  @EventAsIs({ shared: true })
  @Subscription(() => SeatChanges, {
    description:
      "Seat changes of a date after the given sequence (from now, if none). Missed changes are replayed; resync: true when they are no longer kept. Needs an ACTIVE pass; queueToken defaults to the connection's.",
    subscribe: ({ args, context }: { args: WatchArgs; context: Context }) =>
      context.services.seats.watch(viewerOf(context), args.scheduleId, args.after ?? null, args.queueToken ?? context.queueToken) as never,
  })
  seatChanges(
    @Root() event: SeatsEvent,
    @Arg('scheduleId', () => ID, { description: 'UUID of the date.' }) _scheduleId: string,
    @Arg('after', () => String, { nullable: true, description: 'sequence of seatMap, or of the last message: what happened since comes first. Without it the first message has no changes, only where it begins.' }) _after: string | null,
    @Arg('queueToken', () => String, { nullable: true, description: "A queue token in place of the connection's." }) _queueToken: string | null,
  ): SeatsEvent {
    return event;
  }
}
