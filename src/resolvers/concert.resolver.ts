import { Arg, Ctx, FieldResolver, ID, Int, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.js';
import type { Concert as ConcertEntity } from '../database/entities/concert.entity.js';
import { Concert, ConcertConnection, ConcertPrice } from '../schema/concert.type.js';
import { Schedule } from '../schema/schedule.type.js';
import { Venue } from '../schema/venue.type.js';
import { Public } from './access.js';

@Resolver(() => Concert)
export class ConcertResolver {
  @Public()
  @Query(() => ConcertConnection, { description: 'Concerts, newest first. first: 1 to 100, here and everywhere.' })
  concerts(
    @Arg('first', () => Int, { defaultValue: 20, description: '1 to 100.' }) first: number,
    @Arg('after', () => String, { nullable: true, description: 'endCursor of the page before.' }) after: string | null,
    @Ctx() context: Context,
  ) {
    return context.services.concerts.page(first, after ?? null, context.reads);
  }

  @Public()
  @Query(() => Concert, { nullable: true, description: 'One concert; null if there is none with this id.' })
  concert(@Arg('id', () => ID, { description: 'UUID.' }) id: string, @Ctx() context: Context) {
    return context.services.concerts.find(id, context.reads);
  }

  @FieldResolver(() => Venue, { description: 'Where it takes place.' })
  venue(@Root() concert: ConcertEntity, @Ctx() context: Context) {
    return context.loaders.venue.load(concert.venueId);
  }

  @FieldResolver(() => Boolean, { description: 'True when it has dates and no seat is left on any that has not begun. False while it has no dates.' })
  soldOut(@Root() concert: ConcertEntity, @Ctx() context: Context) {
    return context.loaders.soldOut.load(concert.id);
  }

  @FieldResolver(() => [Schedule], { description: 'Its dates, earliest first. availableOnly leaves out those with no seat left, and those that have begun.' })
  schedules(
    @Root() concert: ConcertEntity,
    @Arg('availableOnly', () => Boolean, { defaultValue: false, description: 'Leave out dates with no seat left, and those that have begun.' }) availableOnly: boolean,
    @Ctx() context: Context,
  ) {
    return context.services.schedules.datesOf(concert.id, availableOnly, context.loaders);
  }

  @FieldResolver(() => [ConcertPrice], { description: 'Its prices by grade, highest first.' })
  prices(@Root() concert: ConcertEntity, @Ctx() context: Context) {
    return context.loaders.pricesOfConcert.load(concert.id);
  }
}
