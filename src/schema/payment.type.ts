import { createUnionType, Field, ID, InputType, ObjectType } from 'type-graphql';
import type { PaymentStatus } from '../domain/states.js';
import { PaymentStatusEnum } from './enums.js';
import { PageInfo } from './page-info.type.js';
import { InsufficientBalance, PaymentNotRefundable, ReservationNotPayable, resultTypeOf } from './refusal.type.js';
import { DateTime, Money } from './scalars.js';

@ObjectType({ description: 'The payment of a reservation from the balance.', simpleResolvers: true })
export class Payment {
  @Field(() => ID, { description: 'UUID.' })
  id!: string;

  @Field(() => PaymentStatusEnum, { description: 'PAID, or REFUNDED once the money went back.' })
  status!: PaymentStatus;

  @Field(() => DateTime, { nullable: true, description: 'When the money went back; null while PAID.' })
  refundedAt!: Date | null;

  @Field(() => Money, { description: 'The price of the reservation.' })
  amount!: number;

  @Field(() => DateTime, { description: 'When it was paid.' })
  paidAt!: Date;

  @Field(() => Money, { description: 'The balance after this payment.' })
  balance!: number;
}

@ObjectType({ description: 'A page of payments, newest first.', simpleResolvers: true })
export class PaymentConnection {
  @Field(() => [Payment], { description: 'The payments of this page.' })
  nodes!: Payment[];

  @Field(() => PageInfo, { description: 'How to go on.' })
  pageInfo!: PageInfo;
}

@InputType({ description: 'What to pay.' })
export class PayInput {
  @Field(() => ID, { description: 'UUID of the held reservation.' })
  reservationId!: string;
}

export const PayResult = createUnionType({
  name: 'PayResult',
  description: 'The payment, or why there is none.',
  types: () => [Payment, InsufficientBalance, ReservationNotPayable] as const,
  resolveType: resultTypeOf('Payment'),
});

export const RefundResult = createUnionType({
  name: 'RefundResult',
  description: 'The refunded payment, or why it stays.',
  types: () => [Payment, PaymentNotRefundable] as const,
  resolveType: resultTypeOf('Payment'),
});
