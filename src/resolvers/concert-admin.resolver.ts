import { Arg, Ctx, ID, Mutation, Resolver } from 'type-graphql';
import type { Context } from '../context.js';
import { CreateConcertInput, PriceInput, UpdateConcertInput } from '../schema/concert.input.js';
import { Concert } from '../schema/concert.type.js';
import { Admin } from './access.js';

@Resolver()
export class ConcertAdminResolver {
  @Admin()
  @Mutation(() => Concert, { description: 'Admin: adds a concert with its prices. Readers see it at once.' })
  createConcert(@Arg('input', () => CreateConcertInput, { description: 'The new concert.' }) input: CreateConcertInput, @Ctx() context: Context) {
    return context.services.concerts.create(input);
  }

  @Admin()
  @Mutation(() => Concert, { description: 'Admin: changes a concert, its sale window included. NOT_FOUND without such a concert.' })
  updateConcert(
    @Arg('id', () => ID, { description: 'UUID of the concert.' }) id: string,
    @Arg('input', () => UpdateConcertInput, { description: 'What to change.' }) input: UpdateConcertInput,
    @Ctx() context: Context,
  ) {
    return context.services.concerts.update(id, input);
  }

  @Admin()
  @Mutation(() => Concert, {
    description:
      'Admin: sets prices of a concert and of its AVAILABLE seats, all together. HELD and SOLD seats keep their price, also when they come free again, until prices are set anew. Grades not named stay. NOT_FOUND without such a concert.',
  })
  setPrices(
    @Arg('concertId', () => ID, { description: 'UUID of the concert.' }) concertId: string,
    @Arg('prices', () => [PriceInput], { description: '1 to 50, each grade once.' }) prices: PriceInput[],
    @Ctx() context: Context,
  ) {
    return context.services.concerts.setPrices(concertId, prices);
  }
}
