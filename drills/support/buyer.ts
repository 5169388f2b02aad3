import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import * as operations from '../../test/graphql/operations.js';
import type { Buyer } from '../../test/support/builder.js';
import type { Call, DrillClient, Reply, Target } from './client.js';

/** What the history keeps of what was answered; the model reads it. */
export interface KeptReservation {
  id: string;
  status: operations.ReservationStatus;
  scheduleId: string;
  seatNumbers: number[];
  totalPrice: number;
  createdAt: number;
  expiresAt: number;
}

export interface KeptPayment {
  id: string;
  reservationId: string;
  status: operations.PaymentStatus;
  amount: number;
  balance: number;
  paidAt: number;
  refundedAt: number | null;
}

export interface KeptCharge {
  id: string;
  amount: number;
  balance: number;
  chargedAt: number;
}

export interface KeptPosition {
  status: operations.QueueStatus;
  position: number;
}

type Fetched = operations.ReservationDetailsFragment;
type Paid = operations.PaymentDetailsFragment;

const keepReservation = ({ id, status, schedule, seats, totalPrice, createdAt, expiresAt }: Fetched): KeptReservation => ({
  id, status, scheduleId: schedule.id, seatNumbers: seats.map(({ number }) => number), totalPrice, createdAt: Date.parse(createdAt), expiresAt: Date.parse(expiresAt),
});

const keepPayment = ({ id, status, amount, balance, paidAt, refundedAt, reservation }: Paid): KeptPayment => ({
  id, status, amount, balance, paidAt: Date.parse(paidAt), refundedAt: refundedAt === null ? null : Date.parse(refundedAt), reservationId: reservation.id,
});

/** One signed-in user. Each method is one call, at the process given or at any; its outcome is in the history under the user's id. */
export class DrillBuyer {
  /** Of the last join that is known. */
  queueToken: string | undefined;

  constructor(
    readonly client: DrillClient,
    readonly account: Buyer & { queueToken?: string },
  ) {
    this.queueToken = account.queueToken;
  }

  get id(): string {
    return this.account.id;
  }

  async join(concertId: string, via?: Target) {
    const reply = await this.#call({
      name: 'join', key: concertId, args: { concertId }, document: operations.JoinQueueDocument, variables: { concertId },
      read: (data) => data.joinQueue,
      keep: ({ token, position }) => ({ place: placeOf(token), status: position.status, position: position.position }),
    }, via);
    if (reply.outcome === 'ok') this.queueToken = reply.value.token;
    return reply;
  }

  leave(concertId: string, via?: Target) {
    return this.#call({ name: 'leave', key: concertId, args: { concertId }, document: operations.LeaveQueueDocument, variables: { concertId }, read: (data) => data.leaveQueue }, via);
  }

  position(concertId: string, via?: Target) {
    return this.#call({
      name: 'position', key: concertId, args: { concertId }, document: operations.PollQueuePositionDocument, variables: { concertId },
      read: (data) => data.queuePosition,
      keep: (value): KeptPosition | null => value && { status: value.status, position: value.position },
    }, via);
  }

  seats(scheduleId: string, status: operations.SeatStatus, via?: Target) {
    return this.#call({
      name: 'seats', key: scheduleId, args: { scheduleId, status }, document: operations.SeatsDocument, variables: { scheduleId, status },
      read: (data) => data.seats,
      keep: (value) => value.length,
    }, via);
  }

  reserve(scheduleId: string, seatNumbers: number[], via?: Target) {
    return this.#call({
      name: 'reserve', key: `${scheduleId} ${seatNumbers.toSorted((a, b) => a - b).join(',')}`, args: { scheduleId, seatNumbers },
      document: operations.ReserveDocument, variables: { input: { scheduleId, seatNumbers } },
      read: (data) => data.reserve, succeeds: 'Reservation',
      keep: (value): KeptReservation => keepReservation(value as Fetched),
    }, via) as Promise<Reply<Fetched>>;
  }

  cancel(reservationId: string, via?: Target) {
    return this.#call({
      name: 'cancel', key: reservationId, args: { reservationId }, document: operations.CancelReservationDocument, variables: { id: reservationId },
      read: (data) => data.cancelReservation, succeeds: 'Reservation',
      keep: (value): KeptReservation => keepReservation(value as Fetched),
    }, via) as Promise<Reply<Fetched>>;
  }

  charge(amount: number, idempotencyKey: string, via?: Target) {
    return this.#call({
      name: 'charge', key: idempotencyKey, args: { amount, idempotencyKey }, document: operations.ChargeDocument, variables: { input: { amount, idempotencyKey } },
      read: (data) => data.charge, succeeds: 'Charge',
      keep: (value): KeptCharge => {
        const charge = value as Extract<typeof value, { __typename: 'Charge' }>;
        return { id: charge.id, amount: charge.amount, balance: charge.balance, chargedAt: Date.parse(charge.chargedAt) };
      },
    }, via) as Promise<Reply<Extract<operations.ChargeMutation['charge'], { __typename: 'Charge' }>>>;
  }

  pay(reservationId: string, via?: Target) {
    return this.#call({
      name: 'pay', key: reservationId, args: { reservationId }, document: operations.PayDocument, variables: { input: { reservationId } },
      read: (data) => data.pay, succeeds: 'Payment',
      keep: (value): KeptPayment => keepPayment(value as Paid),
    }, via) as Promise<Reply<Paid>>;
  }

  refund(paymentId: string, via?: Target) {
    return this.#call({
      name: 'refund', key: paymentId, args: { paymentId }, document: operations.RefundDocument, variables: { paymentId },
      read: (data) => data.refund, succeeds: 'Payment',
      keep: (value): KeptPayment => keepPayment(value as Paid),
    }, via) as Promise<Reply<Paid>>;
  }

  reservation(id: string, via?: Target) {
    return this.#call({
      name: 'reservation', key: id, args: { id }, document: operations.OneReservationDocument, variables: { id },
      read: (data) => data.reservation,
      keep: (value): KeptReservation | null => value && keepReservation(value),
    }, via);
  }

  /** Balance and the newest 100 reservations and payments. */
  me(via?: Target) {
    return this.#call({
      name: 'me', document: operations.MeDocument, variables: { first: 100 },
      read: (data) => data.me,
      keep: ({ balance, reservations, payments }): KeptMe => ({
        balance,
        reservations: reservations.nodes.map(keepReservation),
        payments: payments.nodes.map(keepPayment),
      }),
    }, via);
  }

  #call<Data, Variables, Value>(call: Omit<Call<Data, Variables, Value>, 'process' | 'credentials'> & { document: TypedDocumentNode<Data, Variables> }, via?: Target): Promise<Reply<Value>> {
    const credentials = { accessToken: this.account.accessToken, ...(this.queueToken ? { queueToken: this.queueToken } : {}) };
    return this.client.call({ ...call, process: this.id, credentials }, via);
  }
}

export interface KeptMe {
  balance: number;
  reservations: KeptReservation[];
  payments: KeptPayment[];
}

/** Read without checking the signature. */
const placeOf = (queueToken: string): number => (JSON.parse(Buffer.from(queueToken.split('.')[1]!, 'base64url').toString()) as { place: number }).place;
