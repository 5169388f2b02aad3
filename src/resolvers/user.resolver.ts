import { Arg, Ctx, FieldResolver, Int, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.js';
import type { Account } from '../database/repositories/user.repository.js';
import { PaymentConnection } from '../schema/payment.type.js';
import { ReservationConnection } from '../schema/reservation.type.js';
import { Money } from '../schema/scalars.js';
import { Session, SignInInput, SignInResult, SignUpInput, SignUpResult, User } from '../schema/user.type.js';
import { Public, SignedIn, viewerOf } from './access.js';
import { orRefusal } from './result.js';

@Resolver(() => User)
export class UserResolver {
  @SignedIn()
  @Query(() => User, { description: 'The signed-in user.' })
  me(@Ctx() context: Context) {
    return context.services.users.account(viewerOf(context).userId);
  }

  @Public()
  @Mutation(() => SignUpResult, { description: 'Opens an account and signs in. BAD_USER_INPUT names the field: email, password or name. Limited per address, and by how many passwords can be hashed at once (RATE_LIMITED).' })
  signUp(@Arg('input', () => SignUpInput, { description: 'The new account.' }) input: SignUpInput, @Ctx() context: Context) {
    return orRefusal(context.services.users.signUp(input, context.address));
  }

  @Public()
  @Mutation(() => SignInResult, { description: 'Starts a session. An unknown e-mail and a wrong password get the same answer. Limited per e-mail and address, and by how many passwords can be hashed at once (RATE_LIMITED).' })
  signIn(@Arg('input', () => SignInInput, { description: 'Who signs in.' }) input: SignInInput, @Ctx() context: Context) {
    return orRefusal(context.services.users.signIn(input, context.address));
  }

  @Public()
  @Mutation(() => Session, {
    description:
      'Exchanges a refresh token for a new session, whose refresh token is good for 7 days from now. The same token again within 10 s answers with the same new session; later, or after another refresh, it revokes the whole session. UNAUTHENTICATED if it is not good.',
  })
  refreshSession(@Arg('refreshToken', () => String, { description: 'The newest refresh token.' }) refreshToken: string, @Ctx() context: Context) {
    return context.services.sessions.refresh(refreshToken);
  }

  @SignedIn()
  @Mutation(() => Boolean, { description: 'Ends the session: its refresh token and access tokens are dead at once, its sockets close. Always true.' })
  signOut(@Ctx() context: Context) {
    return context.services.sessions.signOut(viewerOf(context));
  }

  @FieldResolver(() => Money, { description: 'Prepaid, in the minor unit.' })
  balance(@Root() user: User & Partial<Pick<Account, 'balance'>>, @Ctx() context: Context) {
    return user.balance ?? context.loaders.balance.load(user.id);
  }

  @FieldResolver(() => ReservationConnection, { description: "The user's reservations, newest first." })
  reservations(
    @Root() user: User,
    @Arg('first', () => Int, { defaultValue: 20, description: '1 to 100.' }) first: number,
    @Arg('after', () => String, { nullable: true, description: 'endCursor of the page before.' }) after: string | null,
    @Ctx() context: Context,
  ) {
    return context.services.reservations.pageOfUser(user.id, first, after ?? null);
  }

  @FieldResolver(() => PaymentConnection, { description: "The user's payments, newest first." })
  payments(
    @Root() user: User,
    @Arg('first', () => Int, { defaultValue: 20, description: '1 to 100.' }) first: number,
    @Arg('after', () => String, { nullable: true, description: 'endCursor of the page before.' }) after: string | null,
    @Ctx() context: Context,
  ) {
    return context.services.payments.pageOfUser(user.id, first, after ?? null);
  }
}
