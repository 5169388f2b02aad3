import { Arg, Ctx, FieldResolver, ID, Mutation, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.js';
import { PayInput, Payment, PayResult, RefundResult } from '../schema/payment.type.js';
import { Reservation } from '../schema/reservation.type.js';
import { Direct, DirectField, SignedIn, viewerOf } from './access.js';
import type { KnownPayment } from './known.js';
import { orRefusal } from './result.js';

@Resolver(() => Payment)
export class PaymentResolver {
  @SignedIn()
  @Direct('input')
  @Mutation(() => PayResult, {
    description:
      "Pays a held reservation from one's balance. Needs one's queue token for the concert in any state; the live hold stands for the pass. The first payment ends the pass (COMPLETED); other holds stay payable until their own expiresAt. Repeating it for a paid reservation answers with the same payment.",
  })
  async pay(@Arg('input', () => PayInput, { description: 'What to pay.' }) input: PayInput, @Ctx() context: Context) {
    const paid = await orRefusal(context.services.payments.pay(viewerOf(context), context.queueToken, input.reservationId));
    if (!('reservation' in paid)) return paid;
    const { reservation, seats, ...payment } = paid;
    context.loaders.forgetReservation(reservation.id);
    return { ...payment, reservation: { ...reservation, captured: seats, payment } };
  }

  @SignedIn()
  @Mutation(() => RefundResult, {
    description: 'Returns a payment to the balance and frees its seats, until the date starts; of a cancelled date always. Repeating it returns the same payment.',
  })
  async refund(@Arg('paymentId', () => ID, { description: 'UUID of the payment.' }) paymentId: string, @Ctx() context: Context) {
    const refunded = await orRefusal(context.services.payments.refund(viewerOf(context), paymentId));
    if ('reservationId' in refunded) context.loaders.forgetReservation(refunded.reservationId);
    return refunded;
  }

  @DirectField
  @FieldResolver(() => Reservation, { description: 'What was paid.' })
  reservation(@Root() payment: KnownPayment, @Ctx() context: Context) {
    return payment.reservation ?? context.loaders.reservation.load(payment.reservationId);
  }
}
