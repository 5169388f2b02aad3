import { setTimeout as delay } from 'node:timers/promises';
import { Concert } from '../../src/database/entities/concert.entity.js';
import type { DrillRun } from '../drill.js';
import { DrillBuyer, type KeptPosition } from './buyer.js';
import type { DrillClient } from './client.js';
import type { Operation } from './history.js';
import { checkLine } from './line-model.js';
import { starvationOf } from './starvation.js';
import type { World } from './world.js';

/** Waiting rooms with a pace and a maximum of their own, through which everybody goes until the end of the pass: order, pace, maximum and end are looked at from both sides. */

export interface Rooms {
  /** In each room. */
  people: number;
  passTtlMs: number;
  lookEveryMs: number;
}

interface Policy {
  queueAdmitCount: number;
  queueAdmitIntervalMs: number;
  queueActiveMax: number;
}

const PACED: Policy = { queueAdmitCount: 2, queueAdmitIntervalMs: 500, queueActiveMax: 100_000 };
const CROWDED: Policy = { queueAdmitCount: 1000, queueAdmitIntervalMs: 200, queueActiveMax: 4 };
/** In any so many intervals no more than the admissions of two more, for they follow a grid. */
const INTERVALS = 4;
const ENDED_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 100;
const LOOKS_MAX = 2000;

interface PassRow {
  userId: string;
  place: number;
  admitted: string;
  admittedAt: number;
  expiresAt: number;
  endedAt: number | null;
  endedBy: string | null;
}

export async function goThroughRooms(run: DrillRun, world: World, client: DrillClient, size: Rooms): Promise<void> {
  await Promise.all([throughRoom(run, world, client, PACED, size), throughRoom(run, world, client, CROWDED, size)]);
}

async function throughRoom(run: DrillRun, world: World, client: DrillClient, policy: Policy, { people, passTtlMs, lookEveryMs }: Rooms): Promise<void> {
  const { id } = await world.build.concert({ seats: 1 });
  await world.app.transactions.fork().nativeUpdate(Concert, { id }, policy);
  const attending: Promise<void>[] = [];
  let turn = 0;
  for (const account of await world.build.buyers(people)) {
    const buyer = new DrillBuyer(client, account);
    const api = world.apis[(turn += 1) % world.apis.length]!;
    const joined = await client.untilKnown((via) => buyer.join(id, turn % 3 === 0 ? via : api));
    run.expect(joined.outcome === 'ok', `user ${buyer.id} joins the line: ${joined.operation.code ?? ''}`);
    attending.push(untilOver(run, client, buyer, id, { people, passTtlMs, lookEveryMs }));
  }
  await Promise.all(attending);
  const passes = await endedPasses(run, world, id);
  run.expect(passes.length === people, `everybody is admitted once: ${passes.length} passes of ${people} people`);
  const found = checkLine(run.history, id, passes.map(({ userId, place, admitted }) => ({ userId, place, admittedAt: admitted })));
  // Here people look on until their pass is over.
  run.violations(found.filter(({ kind }) => kind !== 'sent-back'));
  judgePace(run, passes, policy);
  judgeEnds(run, passes);
}

/** Looks again and again until the pass is over; it may be neither sooner nor much later than it lasts. */
async function untilOver(run: DrillRun, client: DrillClient, buyer: DrillBuyer, concertId: string, { passTtlMs, lookEveryMs }: Rooms): Promise<void> {
  let waited: Operation = run.history.named('join').findLast(({ process }) => process === buyer.id)!;
  let active: Operation | undefined;
  let lastActive: Operation | undefined;
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    const { outcome, operation } = await client.untilKnown((via) => buyer.position(concertId, via));
    const status = outcome === 'ok' ? (operation.value as KeptPosition | null)?.status : undefined;
    if (status === 'WAITING') waited = operation;
    else if (status === 'ACTIVE') {
      active ??= operation;
      lastActive = operation;
    } else {
      run.expect(status === 'EXPIRED', `a pass ends by its time: user ${buyer.id} was shown ${status ?? operation.code}`);
      const early = Math.round(waited.invokedAt + passTtlMs - operation.endedAt!);
      if (early > 0) run.violations([{ kind: 'pass-short', what: `a pass was over at least ${early} ms before its time`, operations: [waited, operation] }]);
      break;
    }
    await client.pause(lookEveryMs);
  }
  if (!active || !lastActive) return;
  const starved = starvationOf(run.history).during(lastActive.node, active.invokedAt, lastActive.endedAt!);
  const late = Math.round(lastActive.invokedAt - active.endedAt! - passTtlMs - starved);
  if (late > ENDED_WITHIN_MS) run.violations([{ kind: 'pass-long', what: `a pass was still good ${late} ms after its time`, operations: [active, lastActive] }]);
}

/** Their ends are written down a moment after they have come. */
async function endedPasses(run: DrillRun, world: World, concertId: string): Promise<PassRow[]> {
  const endsAt = performance.now() + ENDED_WITHIN_MS;
  for (;;) {
    const passes = await passesOf(world, concertId);
    if (passes.every(({ endedAt }) => endedAt !== null) || performance.now() > endsAt) return passes;
    await delay(LOOK_EVERY_MS, undefined, { signal: run.signal });
  }
}

async function passesOf(world: World, concertId: string): Promise<PassRow[]> {
  const ms = (column: string): string => `timestampdiff(microsecond, '1970-01-01', ${column}) div 1000`;
  const rows = await world.app.transactions.fork().execute<Record<string, string>[]>(
    `select user_id as userId, place, cast(admitted_at as char) as admitted, ${ms('admitted_at')} as admittedAt, ${ms('expires_at')} as expiresAt, ${ms('ended_at')} as endedAt, ended_by as endedBy
     from queue_pass where concert_id = ? and admitted_at is not null order by admitted_at, place`,
    [concertId],
  );
  return rows.map((row) => ({
    userId: row['userId']!, place: Number(row['place']), admitted: row['admitted']!, admittedAt: Number(row['admittedAt']), expiresAt: Number(row['expiresAt']),
    endedAt: row['endedAt'] === null ? null : Number(row['endedAt']), endedBy: row['endedBy'] ?? null,
  }));
}

/** A row is given its end before Redis hands the pass over, and its admission is noted afterwards: so the maximum can be judged without any margin. */
function judgePace(run: DrillRun, passes: readonly PassRow[], { queueAdmitCount, queueAdmitIntervalMs, queueActiveMax }: Policy): void {
  const most = queueAdmitCount * (INTERVALS + 2);
  passes.slice(most).forEach((pass, index) => {
    const took = pass.admittedAt - passes[index]!.admittedAt;
    run.expect(took >= INTERVALS * queueAdmitIntervalMs, `at most ${queueAdmitCount} are admitted in ${queueAdmitIntervalMs} ms: ${most + 1} were in ${took} ms`);
  });
  const ends = passes.map(({ expiresAt }) => expiresAt);
  passes.slice(queueActiveMax).forEach((pass, index) => {
    run.expect(pass.admittedAt >= ends[index]!, `at most ${queueActiveMax} are active: one more was admitted ${ends[index]! - pass.admittedAt} ms before the end of the first of them`);
  });
  if (passes.length > 1) run.figure(`admissions at ${queueAdmitCount} in ${queueAdmitIntervalMs} ms, at most ${queueActiveMax} active`, `${passes.length} in ${passes.at(-1)!.admittedAt - passes[0]!.admittedAt} ms`);
}

function judgeEnds(run: DrillRun, passes: readonly PassRow[]): void {
  for (const { userId, endedAt, endedBy, expiresAt } of passes) {
    const late = endedAt === null ? Infinity : endedAt - expiresAt;
    run.expect(endedBy === 'TIME' && late >= 0 && late <= ENDED_WITHIN_MS, `the pass of user ${userId} is written down as over within ${ENDED_WITHIN_MS} ms of its end: ${endedBy} after ${late} ms`);
  }
}
