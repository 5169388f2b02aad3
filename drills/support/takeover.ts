import { setTimeout as delay } from 'node:timers/promises';
import { WatchReservationsDocument } from '../../test/graphql/operations.js';
import type { DrillRun } from '../drill.js';
import { DrillBuyer } from './buyer.js';
import type { DrillClient } from './client.js';
import type { Operation } from './history.js';
import { starvationOf } from './starvation.js';
import { watch } from './subscription.js';
import type { World } from './world.js';

/** Somebody holds a seat and walks away; a rival at another process wants it from the first moment. Judged by the one clock of the drill, whatever the processes' clocks say. */

export interface Takeovers {
  lanes: number;
  /** Of each lane. */
  rounds: number;
  holdTtlMs: number;
}

/** The gate may believe a hold for a moment longer, and the rival asks only so often. */
const FREE_WITHIN_MS = 3000;
const ASK_EVERY_MS = 30;
/** Somebody who is frozen may keep the rows for a few seconds more. */
const PATIENCE_MS = 20_000;
const TOLD_WITHIN_MS = 10_000;
const PASS_MS = 3_600_000;

export async function takeOver(run: DrillRun, world: World, client: DrillClient, { lanes, rounds, holdTtlMs }: Takeovers): Promise<void> {
  const concert = await world.build.concert({ seats: lanes });
  const admitted = await world.build.admit(concert.id, await world.build.buyers(2 * lanes), PASS_MS);
  const buyers = admitted.map((account) => new DrillBuyer(client, account));
  let held = 0;
  const lane = async (index: number): Promise<void> => {
    const seats = [index + 1];
    const pair = [buyers[2 * index]!, buyers[2 * index + 1]!];
    const told = await expiriesToldTo(run, world, pair[0]!, index);
    const api = (turn: number) => world.apis[(index + turn) % world.apis.length]!;
    let first = await firstHold(run, pair[0]!, (turn) => pair[0]!.reserve(concert.scheduleId, seats, api(turn)));
    let ofFirst = 1;
    for (let round = 1; round <= rounds; round += 1) {
      const rival = pair[round % 2]!;
      const taken = await firstHold(run, rival, (turn) => rival.reserve(concert.scheduleId, seats, api(turn + round)));
      judge(run, first, taken, holdTtlMs);
      if (round % 2 === 0) ofFirst += 1;
      first = taken;
      held += 1;
    }
    run.expect(await told(ofFirst), `user ${pair[0]!.id} was told of the end of each of the ${ofFirst} holds within ${TOLD_WITHIN_MS / 1000} s`);
  };
  await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)));
  run.figure('seats taken over at the end of a hold', held);
}

interface Won {
  operation: Operation;
  /** The last definite answer that the seat is taken. */
  refusedBefore: Operation | undefined;
}

/** Asks again and again until the seat is there. */
async function firstHold(run: DrillRun, buyer: DrillBuyer, attempt: (turn: number) => ReturnType<DrillBuyer['reserve']>): Promise<Won> {
  const endsAt = performance.now() + PATIENCE_MS;
  let refusedBefore: Operation | undefined;
  for (let turn = 0; ; turn += 1) {
    const reply = await attempt(turn);
    if (reply.outcome === 'ok') return { operation: reply.operation, refusedBefore };
    if (reply.outcome === 'fail' && reply.code !== 'SeatsUnavailable') throw new Error(`User ${buyer.id} was told ${reply.code} for a seat.`);
    if (performance.now() > endsAt) {
      run.violations([{ kind: 'freed-late', what: `a seat was not to be had within ${PATIENCE_MS / 1000} s`, operations: [reply.operation] }]);
      throw new Error(`User ${buyer.id} did not get the seat within ${PATIENCE_MS / 1000} s.`);
    }
    if (reply.outcome === 'fail') refusedBefore = reply.operation;
    await delay(ASK_EVERY_MS, undefined, { signal: run.signal });
  }
}

/** The hold began after it was asked for, so it cannot be over before its time has passed since; and it had begun when it was answered. */
function judge(run: DrillRun, { operation: old }: Won, { operation: next, refusedBefore }: Won, holdTtlMs: number): void {
  if (next.endedAt! < old.invokedAt + holdTtlMs) {
    const early = Math.round(old.invokedAt + holdTtlMs - next.endedAt!);
    run.violations([{ kind: 'freed-early', what: `a seat was given to another at least ${early} ms before the end of its hold`, operations: [old, next] }]);
  }
  const lastRefusal = refusedBefore?.invokedAt ?? 0;
  const starved = starvationOf(run.history).during(next.node, old.endedAt!, next.endedAt!);
  const late = lastRefusal - (old.endedAt! + holdTtlMs) - starved;
  if (late > FREE_WITHIN_MS) run.violations([{ kind: 'freed-late', what: `a seat was still refused ${Math.round(late)} ms after the end of its hold`, operations: [old, refusedBefore!] }]);
}

/** Over a socket of the process beside. */
async function expiriesToldTo(run: DrillRun, world: World, { account }: DrillBuyer, index: number): Promise<(count: number) => Promise<boolean>> {
  const from = index % world.apis.length;
  const watched = watch({ targets: [...world.apis.slice(from), ...world.apis.slice(0, from)], document: WatchReservationsDocument, variables: {}, credentials: { accessToken: account.accessToken } });
  // Its processes may be gone by then, which it calls an error.
  run.closing(() => watched.stop().catch(() => undefined));
  while (watched.connectedAt.length === 0) await delay(ASK_EVERY_MS, undefined, { signal: run.signal });
  return async (count) => {
    const endsAt = performance.now() + TOLD_WITHIN_MS;
    const expired = (): number => new Set(watched.messages.filter(({ data }) => data.reservationChanged.status === 'EXPIRED').map(({ data }) => data.reservationChanged.id)).size;
    while (expired() < count && performance.now() < endsAt) await delay(ASK_EVERY_MS, undefined, { signal: run.signal });
    await watched.stop();
    return expired() >= count;
  };
}

/** How long after its end each hold that ran out was written down as such, by the database's clock: never before, and by the sweeper at the latest. */
export async function expectEndsInTime(run: DrillRun, world: World, withinMs: number): Promise<void> {
  const rows = await world.app.transactions.fork().execute<{ count: number; least: number | null; most: number | null }[]>(
    "select count(*) as count, min(timestampdiff(microsecond, expires_at, updated_at)) div 1000 as least, max(timestampdiff(microsecond, expires_at, updated_at)) div 1000 as most from reservation where status = 'EXPIRED'",
  );
  const { count, least, most } = rows[0]!;
  run.figure('holds that ran out', Number(count));
  if (Number(count) === 0) return;
  run.figure('written down after their end, from and to, ms', `${Number(least)}, ${Number(most)}`);
  run.expect(Number(least) >= 0, `no hold ends before its time: one ended ${-Number(least)} ms before`);
  run.expect(Number(most) <= withinMs, `each hold ends within ${withinMs} ms of its time: one ended after ${Number(most)} ms`);
}
