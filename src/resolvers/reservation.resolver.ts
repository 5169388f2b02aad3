import { Arg, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql';
import type { Context } from '../context.js';
import type { Reservation as ReservationEntity } from '../database/entities/reservation.entity.js';
import { Payment } from '../schema/payment.type.js';
import { CancelResult, Reservation, ReservedSeat, ReserveInput, ReserveResult } from '../schema/reservation.type.js';
import { Schedule } from '../schema/schedule.type.js';
import { BehindQueue, Direct, SignedIn, viewerOf } from './access.js';
import { forget, know } from './known.js';
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
    if ('captured' in reserved && reserved.captured) know(context.loaders, { reservation: reserved, seats: reserved.captured, payment: null });
    return reserved;
  }

  @SignedIn()
  @Mutation(() => CancelResult, { description: 'Gives a hold back before it runs out. Cancelling a cancelled one returns it.' })
  async cancelReservation(@Arg('id', () => ID, { description: 'UUID of the reservation.' }) id: string, @Ctx() context: Context) {
    const cancelled = await orRefusal(context.services.reservations.cancel(viewerOf(context), id));
    if ('id' in cancelled) forget(context.loaders, cancelled.id);
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

  @FieldResolver(() => Schedule, { description: 'The date of its seats.' })
  schedule(@Root() reservation: ReservationEntity, @Ctx() context: Context) {
    return context.loaders.schedule.load(reservation.scheduleId);
  }

  @FieldResolver(() => [ReservedSeat], { description: 'The seats as they were reserved, by number.' })
  seats(@Root() reservation: ReservationEntity, @Ctx() context: Context) {
    return context.loaders.reservedSeats.load(reservation.id);
  }

  @FieldResolver(() => Payment, { nullable: true, description: 'Its payment; null until it is paid.' })
  payment(@Root() reservation: ReservationEntity, @Ctx() context: Context) {
    return context.loaders.paymentOfReservation.load(reservation.id);
  }
}
