import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { Charge } from '../../src/database/entities/charge.entity.js';
import { LedgerEntry } from '../../src/database/entities/ledger-entry.entity.js';
import { Wallet } from '../../src/database/entities/wallet.entity.js';
import type { Viewer } from '../../src/domain/viewer.js';
import * as operations from '../graphql/operations.js';
import type { Buyer } from './builder.js';
import { codeOf, type Answer, type Credentials } from './client.js';
import type { Frontrow } from './frontrow.js';

/** The steps of a sale over HTTP, and what the database says afterwards. */
export type Sale = ReturnType<typeof saleOf>;

/** The data of an answer that must have some. */
export function dataOf<Data>(answer: Answer<Data>): Data {
  if (!answer.data) throw new Error(`No data: ${JSON.stringify(answer.errors)}`);
  return answer.data;
}

/** The member of a result union that the test expects. */
export function only<Result extends { __typename: string }, Name extends Result['__typename']>(result: Result, name: Name): Extract<Result, { __typename: Name }> {
  if (result.__typename !== name) throw new Error(`Expected ${name}: ${JSON.stringify(result)}`);
  return result as Extract<Result, { __typename: Name }>;
}

/** A buyer as services see one. */
export const viewerOf = (buyer: Buyer): Viewer => ({ userId: buyer.id, role: 'USER', sessionId: buyer.sessionId, tokenExpiresAt: new Date(Date.now() + 60_000) });

const REPEATS_MAX = 3;

export function saleOf(frontrow: Frontrow) {
  /** As clients are told to: what a starved machine could not do by the deadline is asked for again. */
  const run = async <Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables, caller: Credentials, instance: number) => {
    const send = () => frontrow.client(instance).run(document, variables, caller);
    let answer = await send();
    for (let repeats = 0; repeats < REPEATS_MAX && codeOf(answer) === 'SERVICE_UNAVAILABLE'; repeats += 1) answer = await send();
    return dataOf(answer);
  };
  const reserve = async (caller: Credentials, scheduleId: string, seatNumbers: number[], instance = 0) =>
    (await run(operations.ReserveDocument, { input: { scheduleId, seatNumbers } }, caller, instance)).reserve;
  return {
    reserve,
    hold: async (caller: Credentials, scheduleId: string, seatNumbers: number[], instance = 0) => only(await reserve(caller, scheduleId, seatNumbers, instance), 'Reservation'),
    cancel: async (caller: Credentials, id: string, instance = 0) => (await run(operations.CancelReservationDocument, { id }, caller, instance)).cancelReservation,
    pay: async (caller: Credentials, reservationId: string, instance = 0) => (await run(operations.PayDocument, { input: { reservationId } }, caller, instance)).pay,
    refund: async (caller: Credentials, paymentId: string, instance = 0) => (await run(operations.RefundDocument, { paymentId }, caller, instance)).refund,
    charge: async (caller: Credentials, amount: number, idempotencyKey: string, instance = 0) =>
      (await run(operations.ChargeDocument, { input: { amount, idempotencyKey } }, caller, instance)).charge,
    reservation: async (caller: Credentials, id: string, instance = 0) => (await run(operations.OneReservationDocument, { id }, caller, instance)).reservation,
    me: async (caller: Credentials, variables: operations.MeQueryVariables = {}, instance = 0) => (await run(operations.MeDocument, variables, caller, instance)).me,
    seats: async (caller: Credentials, scheduleId: string, instance = 0) => (await run(operations.SeatsDocument, { scheduleId }, caller, instance)).seats,

    balanceOf: async (userId: string) => (await frontrow.app.transactions.fork().findOneOrFail(Wallet, { userId })).balance,
    ledgerOf: (userId: string) => frontrow.app.transactions.fork().find(LedgerEntry, { userId }, { orderBy: { id: 'asc' } }),
    chargesOf: (userId: string) => frontrow.app.transactions.fork().find(Charge, { userId }),
    /** Live reservations of each seat number of a date; two would be a double sale. */
    liveSeatsOf: async (scheduleId: string) => {
      const em = frontrow.app.transactions.fork();
      const rows = await em.execute<{ number: number; reservations: number }[]>(
        `select rs.number, count(*) as reservations from reservation_seat rs join reservation r on r.id = rs.reservation_id
         where r.schedule_id = ? and (r.status = 'CONFIRMED' or (r.status = 'HELD' and r.expires_at > sysdate(3))) group by rs.number order by rs.number`,
        [scheduleId],
      );
      return new Map(rows.map((row) => [Number(row.number), Number(row.reservations)]));
    },
  };
}

/** Sum of a counter over all instances, from what they show at /metrics. */
export async function counted(frontrow: Frontrow, name: string, labels = ''): Promise<number> {
  const texts = await Promise.all(frontrow.instances.map(({ app }) => app.metrics.registry.metrics()));
  const lines = texts.flatMap((text) => text.split('\n')).filter((line) => line.startsWith(name) && line.includes(labels));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
