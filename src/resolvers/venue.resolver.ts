import { Arg, Ctx, ID, Int, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.js';
import { CreateVenueInput, UpdateVenueInput } from '../schema/venue.input.js';
import { Venue, VenueConnection } from '../schema/venue.type.js';
import { Admin } from './access.js';

@Resolver(() => Venue)
export class VenueResolver {
  @Admin()
  @Query(() => VenueConnection, { description: 'Admin: venues, newest first.' })
  venues(
    @Arg('first', () => Int, { defaultValue: 20, description: '1 to 100.' }) first: number,
    @Arg('after', () => String, { nullable: true, description: 'endCursor of the page before.' }) after: string | null,
    @Ctx() context: Context,
  ) {
    return context.services.venues.page(first, after ?? null);
  }

  @Admin()
  @Mutation(() => Venue, { description: 'Admin: adds a venue with its usual layout.' })
  createVenue(@Arg('input', () => CreateVenueInput, { description: 'The new venue.' }) input: CreateVenueInput, @Ctx() context: Context) {
    return context.services.venues.create(input);
  }

  @Admin()
  @Mutation(() => Venue, { description: 'Admin: changes a venue. Dates that exist keep their seats. NOT_FOUND without such a venue.' })
  updateVenue(
    @Arg('id', () => ID, { description: 'UUID of the venue.' }) id: string,
    @Arg('input', () => UpdateVenueInput, { description: 'What to change.' }) input: UpdateVenueInput,
    @Ctx() context: Context,
  ) {
    return context.services.venues.update(id, input);
  }
}
