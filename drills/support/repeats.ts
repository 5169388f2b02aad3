import type { DrillRun } from '../drill.js';
import type { DrillBuyer, KeptCharge, KeptPayment, KeptReservation } from './buyer.js';
import type { DrillClient, Reply, Target } from './client.js';
import type { Operation } from './history.js';
import type { Violation } from './model.js';
import type { FrontrowNode } from './processes.js';

/** Something that is asked for many times and must be done once. */
export interface Repeated {
  what: string;
  /** The number of the send tells variants of one key apart. */
  send(via: Target, turn: number): Promise<Reply<unknown>>;
  /** What of an acknowledged answer must be the same each time. */
  told(operation: Operation): unknown;
  /** Refusals that may be answered to some of the sends. */
  mayRefuse?: string;
}

export interface Repeats {
  sends: number;
  /** Sent at the same time, each to another process. */
  together: number;
  /** Keys that are under way at once. */
  keys: number;
}

export interface Receivers {
  client: DrillClient;
  nodes: readonly FrontrowNode[];
}

/** The definite answers of one key. */
export interface Outcome {
  acknowledged: Operation[];
  refused: Operation[];
}

const told = {
  charge: ({ id, amount, balance, chargedAt }: KeptCharge) => [id, amount, balance, chargedAt],
  reserve: ({ id, totalPrice, createdAt, expiresAt, seatNumbers }: KeptReservation) => [id, totalPrice, createdAt, expiresAt, ...seatNumbers],
  payment: ({ id, reservationId, status, amount, balance, paidAt, refundedAt }: KeptPayment) => [id, reservationId, status, amount, balance, paidAt, refundedAt],
  place: ({ place }: { place: number }) => place,
};

export const charging = (buyer: DrillBuyer, key: string, amount: number): Repeated => ({
  what: `charge ${key} of ${buyer.id}`, send: (via) => buyer.charge(amount, key, via), told: ({ value }) => told.charge(value as KeptCharge),
});

/** Two amounts under one key: the first that is written is the one, and the other is refused for ever. */
export const contesting = (buyer: DrillBuyer, key: string, amounts: readonly [number, number]): Repeated => ({
  what: `contested charge ${key} of ${buyer.id}`,
  send: (via, turn) => buyer.charge(amounts[turn % 2]!, key, via),
  told: ({ value }) => told.charge(value as KeptCharge),
  mayRefuse: 'IdempotencyKeyReused',
});

export const reserving = (buyer: DrillBuyer, scheduleId: string, numbers: number[]): Repeated => ({
  what: `reserve of ${buyer.id}`, send: (via) => buyer.reserve(scheduleId, numbers, via), told: ({ value }) => told.reserve(value as KeptReservation),
});

export const paying = (buyer: DrillBuyer, reservationId: string): Repeated => ({
  what: `payment of ${reservationId}`, send: (via) => buyer.pay(reservationId, via), told: ({ value }) => told.payment(value as KeptPayment),
});

export const refunding = (buyer: DrillBuyer, paymentId: string): Repeated => ({
  what: `refund of ${paymentId}`, send: (via) => buyer.refund(paymentId, via), told: ({ value }) => told.payment(value as KeptPayment),
});

export const joining = (buyer: DrillBuyer, concertId: string): Repeated => ({
  what: `join of ${buyer.id}`, send: (via) => buyer.join(concertId, via), told: ({ value }) => told.place(value as { place: number }),
});

/** Sends each key so many times, in waves over all processes that run, and once more until it is known; whatever was acknowledged must have told the same. */
export async function repeatAll<Key extends Repeated>(run: DrillRun, to: Receivers, all: readonly Key[], repeats: Repeats, after?: (key: Key, outcome: Outcome) => Promise<void>): Promise<void> {
  const left = [...all];
  const work = async (): Promise<void> => {
    for (let key = left.shift(); key; key = left.shift()) {
      const outcome = await repeat(to, key, repeats);
      run.violations(judge(key, outcome));
      await after?.(key, outcome);
    }
  };
  await Promise.all(Array.from({ length: repeats.keys }, work));
}

async function repeat({ client, nodes }: Receivers, key: Repeated, { sends, together }: Repeats): Promise<Outcome> {
  const replies: Reply<unknown>[] = [];
  const first = nodes.indexOf(client.anyTarget() as FrontrowNode);
  for (let sent = 0; sent < sends; sent += together) {
    const running = nodes.filter(({ pid }) => pid !== 0);
    const via = running.length > 0 ? running : nodes;
    const wave = Array.from({ length: Math.min(together, sends - sent) }, (_, index) => key.send(via[(first + sent + index) % via.length]!, sent + index));
    replies.push(...(await Promise.all(wave)));
  }
  replies.push(await client.untilKnown((via) => key.send(via, 0)));
  const operations = (outcome: Reply<unknown>['outcome']): Operation[] => replies.filter((reply) => reply.outcome === outcome).map(({ operation }) => operation);
  return { acknowledged: operations('ok'), refused: operations('fail') };
}

function judge(key: Repeated, { acknowledged, refused }: Outcome): Violation[] {
  const results = Map.groupBy(acknowledged, (operation) => JSON.stringify(key.told(operation)));
  const found: Violation[] = [];
  if (results.size > 1) found.push({ kind: 'two-results', what: `${key.what} was answered in ${results.size} ways: ${[...results.keys()].join(' ')}`, operations: acknowledged });
  if (results.size === 0) found.push({ kind: 'no-result', what: `${key.what} was never acknowledged`, operations: refused });
  const wrong = refused.filter(({ code }) => code !== key.mayRefuse);
  if (wrong.length > 0) found.push({ kind: 'refused', what: `${key.what} was told ${wrong[0]!.code}`, operations: wrong });
  return found;
}
