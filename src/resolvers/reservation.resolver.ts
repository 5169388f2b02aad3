import { Arg, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql';
import type { Context } from '../context.js';
import type { Reservation as ReservationEntity } from '../database/entities/reservation.entity.js';
import { Payment } from '../schema/payment.type.js';
import { CancelResult, Reservation, ReservedSeat, ReserveInput, ReserveResult } from '../schema/reservation.type.js';
import { Schedule } from '../schema/schedule.type.js';
import { BehindQueue, Direct, DirectField, SignedIn, viewerOf } from './access.js';
import type { KnownReservation } from './known.js';
import { orRefusal } from './result.js';

@Resolver(() => Reservation)
export class ReservationResolver {
  @SignedIn()
  @Query(() => Reservation, { nullable: true, description: "One's own reservation." })
  reservation(@Arg('id', () => ID, { description: 'UUID.' }) id: string, @Ctx() context: Context) {
    return context.services.reservations.find(viewerOf(context), id);
  }

  @SignedIn()
  @BehindQueue({ scheduleId: (args: { input: ReserveInput }) => args.input.scheduleId, countsAttempt: true })
  @Direct('input')
  @Mutation(() => ReserveResult, {
    description:
      "Holds seats of a date for the signed-in user, all or none. Needs an ACTIVE pass. Asking for exactly the seats of one's own live hold returns that reservation; any other overlap is SeatsUnavailable.",
  })
  async reserve(@Arg('input', () => ReserveInput, { description: 'What to hold.' }) input: ReserveInput, @Ctx() context: Context) {
    const reserved = await orRefusal(context.services.reservations.reserve(viewerOf(context), input));
    // Of one that was there before neither its seats nor its payment are known.
    return 'captured' in reserved && reserved.captured ? { ...reserved, payment: null } : reserved;
  }

  @SignedIn()
  @Mutation(() => CancelResult, { description: 'Gives a hold back before it runs out. Cancelling a cancelled one returns it.' })
  async cancelReservation(@Arg('id', () => ID, { description: 'UUID of the reservation.' }) id: string, @Ctx() context: Context) {
    const cancelled = await orRefusal(context.services.reservations.cancel(viewerOf(context), id));
    if ('id' in cancelled) context.loaders.forgetReservation(cancelled.id);
    return cancelled;
  }

  @SignedIn()
  @Subscription(() => Reservation, {
    description: "One's own reservations, whenever a status changes.",
    subscribe: ({ context }: { context: Context }) => context.services.reservations.watch(viewerOf(context)) as never,
  })
  reservationChanged(@Root() reservation: ReservationEntity): ReservationEntity {
    return reservation;
  }

  @DirectField
  @FieldResolver(() => Schedule, { description: 'The date of its seats.' })
  schedule(@Root() reservation: ReservationEntity, @Ctx() context: Context) {
    return context.loaders.date(reservation.scheduleId);
  }

  @DirectField
  @FieldResolver(() => [ReservedSeat], { description: 'The seats as they were reserved, by number.' })
  seats(@Root() reservation: KnownReservation, @Ctx() context: Context) {
    return reservation.captured ?? context.loaders.reservedSeats.load(reservation.id);
  }

  @DirectField
  @FieldResolver(() => Payment, { nullable: true, description: 'Its payment; null until it is paid.' })
  payment(@Root() reservation: KnownReservation, @Ctx() context: Context) {
    return reservation.payment !== undefined ? reservation.payment : context.loaders.paymentOfReservation.load(reservation.id);
  }
}
