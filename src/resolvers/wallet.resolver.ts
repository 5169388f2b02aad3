import { Arg, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.js';
import { ChargeInput, ChargeResult } from '../schema/wallet.type.js';
import { Direct, Public, SignedIn, viewerOf } from './access.js';
import { orRefusal } from './result.js';

@Resolver()
export class WalletResolver {
  @Public()
  @Query(() => String, { description: 'ISO 4217 code of every Money.' })
  currency(@Ctx() context: Context) {
    return context.services.wallets.currency;
  }

  @SignedIn()
  @Direct('input')
  @Mutation(() => ChargeResult, { description: "Adds money to one's balance." })
  charge(@Arg('input', () => ChargeInput, { description: 'How much, and its idempotency key.' }) input: ChargeInput, @Ctx() context: Context) {
    return orRefusal(context.services.wallets.charge(viewerOf(context), input));
  }
}
