import { setTimeout as delay } from 'node:timers/promises';
import type { Drill, DrillRun } from './drill.js';
import { mutantNamed } from './inject/mutants.js';
import { DrillBuyer } from './support/buyer.js';
import { DrillClient } from './support/client.js';
import { Crowd, USUAL_HABITS, type Habits } from './support/crowd.js';
import { Meddler } from './support/meddler.js';
import { expectSameProcesses } from './support/outage.js';
import { goThroughRooms, type Rooms } from './support/rooms.js';
import { judgeSale, violatedInvariants } from './support/settle.js';
import { negativeControl } from './support/sub-run.js';
import { expectEndsInTime, takeOver } from './support/takeover.js';
import { judgeTold, openWebhook, type Webhook } from './support/told.js';
import { decidedOf } from './support/trials.js';
import type { World } from './support/world.js';

/** Jobs are lost, done again, early, late and left lying; what they stand for is in the rows and comes about all the same. */

interface Sizes {
  apis: number;
  workers: number;
  buyers: number;
  seats: number;
  atOnce: number;
  holdTtlMs: number;
  lanes: number;
  rounds: number;
  rooms: Rooms | null;
  stalls: number;
  /** Whether a worker stays frozen until its jobs are given to another, which takes seconds. */
  seenToStall: boolean;
  stallMs: number;
  paidOfCancelled: number;
  /** So much meddling at least. */
  lostMin: number;
  settledWithinMs: number;
}

const SIZES: Record<DrillRun['scale'], Sizes> = {
  full: { apis: 3, workers: 2, buyers: 100, seats: 60, atOnce: 12, holdTtlMs: 1500, lanes: 8, rounds: 20, rooms: { people: 30, passTtlMs: 4000, lookEveryMs: 250 }, stalls: 4, seenToStall: true, stallMs: 1000, paidOfCancelled: 120, lostMin: 100, settledWithinMs: 60_000 },
  small: { apis: 1, workers: 2, buyers: 10, seats: 10, atOnce: 3, holdTtlMs: 800, lanes: 3, rounds: 2, rooms: null, stalls: 1, seenToStall: false, stallMs: 600, paidOfCancelled: 6, lostMin: 3, settledWithinMs: 30_000 },
};

const HABITS: Habits = { ...USUAL_HABITS, wantsHotSeat: 0.6, hotSeats: 4, walksAway: 0.6, cancels: 0.1, givesUp: 0, refunds: 0.8 };
const PRICE = 10_000;
const PASS_MS = 3_600_000;
/** By the sweeper at the latest. */
const ENDS_WITHIN_MS = 10_000;
const CANCELLED_WITHIN_MS = 20_000;
const CHECK_EVERY_MS = 1000;
const LOOK_EVERY_MS = 100;

const environmentOf = ({ holdTtlMs, rooms }: Sizes): Record<string, string> => ({
  HOLD_TTL_MS: String(holdTtlMs), SWEEP_INTERVAL_MS: '1000', ACCESS_TOKEN_TTL_MS: '7200000', SEATS_PER_USER_MAX: '20', QUEUE_PASS_ATTEMPTS_MAX: '1000000',
  QUEUE_ADMIT_COUNT: '1000', QUEUE_ADMIT_INTERVAL_MS: '200', QUEUE_ACTIVE_MAX: '10000', QUEUE_TICK_MS: '100', ...(rooms && { QUEUE_PASS_TTL_MS: String(rooms.passTtlMs) }),
});

const GUARD_OFF = { name: 'a job that does not look whose the seats are now', edits: mutantNamed('job-without-identity').edits, kinds: ['wrong-end', 'freed-early', 'invariant reserved-is-held'] };

export const jobs: Drill = {
  name: 'jobs',
  proves: 'jobs that are lost, duplicated, early, ten minutes late or stalled end no hold but their own, and every hold ends within 10 s, every event is told, in order, and every refund is made once all the same',
  run: async (run) => {
    const sizes = run.sized(SIZES);
    await drillJobs(run, sizes);
    if (run.scale === 'full') await controlJobs(run);
  },
};

/** What the drill finds where an old job ends whatever it finds. */
export const controlJobs = (run: DrillRun): Promise<void> =>
  negativeControl(run, GUARD_OFF, (control) => drillJobs(control, { ...SIZES.small, workers: 1, stalls: 0, paidOfCancelled: 0, lostMin: 0, settledWithinMs: 3000 }));

async function drillJobs(run: DrillRun, sizes: Sizes): Promise<void> {
  const world = await run.part('start', () => run.world({ apis: sizes.apis, workers: sizes.workers, env: environmentOf(sizes) }));
  const client = new DrillClient({ history: run.history, targets: world.apis, random: run.random.fork('client'), signal: run.signal });
  run.closing(() => client.close());
  const webhook = await openWebhook(run, world);
  const concert = await world.build.concert({ seats: sizes.seats, price: PRICE });
  const buyers = (await world.build.admit(concert.id, await world.build.buyers(sizes.buyers), PASS_MS)).map((account) => new DrillBuyer(client, account));
  const crowd = new Crowd(run, 'the sale', client, buyers, { ...concert, seats: sizes.seats, price: PRICE }, HABITS);
  const cancelled = await paidDate(run, world, client, sizes.paidOfCancelled);
  const unharmed = expectSameProcesses(run, world);
  const meddler = new Meddler(run, world);
  await run.part('jobs go wrong', async () => {
    let over = false;
    const trials = Promise.all([
      takeOver(run, world, client, { lanes: sizes.lanes, rounds: sizes.rounds, holdTtlMs: sizes.holdTtlMs }),
      sizes.rooms && goThroughRooms(run, world, client, sizes.rooms),
      cancelled && cancel(run, world, cancelled.scheduleId),
      stallAll(run, world, meddler, sizes),
    ]).finally(() => (over = true));
    await Promise.all([trials, crowd.visits(sizes.atOnce, () => over), meddler.until(() => over), checkAllAlong(run, world, () => over)]);
  });
  unharmed();
  await run.part('judgement', () => judge(run, world, sizes, [...buyers, ...(cancelled?.buyers ?? [])], cancelled?.scheduleId, webhook));
  meddler.figures();
  run.expect(meddler.count('lost') >= sizes.lostMin, `at least ${sizes.lostMin} jobs are lost: ${meddler.count('lost')}`);
  run.figure('trials', decidedOf(run.history.operations, ['reserve']));
}

interface Paid {
  scheduleId: string;
  buyers: DrillBuyer[];
}

/** A date with so many payments. */
async function paidDate(run: DrillRun, world: World, client: DrillClient, count: number): Promise<Paid | null> {
  if (count === 0) return null;
  const { id, scheduleId } = await world.build.concert({ seats: count, price: PRICE });
  const accounts = await world.build.admit(id, await world.build.buyers(count, { balance: PRICE }), PASS_MS);
  const buyers = accounts.map((account) => new DrillBuyer(client, account));
  await Promise.all(
    buyers.map(async (buyer, index) => {
      const held = await client.untilKnown((via) => buyer.reserve(scheduleId, [index + 1], via));
      // Some only hold.
      const paid = held.outcome === 'ok' && index % 4 > 0 && (await client.untilKnown((via) => buyer.pay(held.value.id, via)));
      run.expect(held.outcome === 'ok' && (paid === false || paid.outcome === 'ok' || paid.operation.code === 'ReservationNotPayable'), `user ${buyer.id} holds and pays a seat of the date`);
    }),
  );
  return { scheduleId, buyers };
}

/** An admin cancels the date; its jobs go wrong like all others. */
async function cancel(run: DrillRun, { app }: World, scheduleId: string): Promise<void> {
  await app.services.cancellations.cancel(scheduleId);
  const startedAt = performance.now();
  let left = Infinity;
  while (left > 0 && performance.now() < startedAt + CANCELLED_WITHIN_MS) {
    await delay(LOOK_EVERY_MS, undefined, { signal: run.signal });
    left = (await app.services.cancellations.find(scheduleId))!.reservationsLeft;
  }
  run.expect(left === 0, `everything of the cancelled date is given back within ${CANCELLED_WITHIN_MS / 1000} s: ${left} reservations are not`);
  run.figure('cancelled date given back after, ms', Math.round(performance.now() - startedAt));
}

async function stallAll(run: DrillRun, world: World, meddler: Meddler, { stalls, seenToStall, stallMs }: Sizes): Promise<void> {
  const random = run.random.fork('stalls');
  for (let stall = 0; stall < stalls; stall += 1) {
    await delay(random.between(stallMs, 2 * stallMs), undefined, { signal: run.signal });
    const worker = random.pick(world.workers);
    run.say(`${worker.name} is frozen`);
    await meddler.stall(worker, seenToStall, stallMs);
  }
}

/** What an old job breaks may be whole again by the end. */
async function checkAllAlong(run: DrillRun, world: World, over: () => boolean): Promise<void> {
  while (!over()) {
    run.violations(await violatedInvariants(world, false));
    await delay(CHECK_EVERY_MS, undefined, { signal: run.signal });
  }
}

async function judge(run: DrillRun, world: World, { settledWithinMs }: Sizes, buyers: DrillBuyer[], cancelledDate: string | undefined, webhook: Webhook): Promise<void> {
  await judgeSale(run, world, { buyers, withinMs: settledWithinMs, rules: { cancelledDates: new Set(cancelledDate ? [cancelledDate] : []) } });
  await expectEndsInTime(run, world, ENDS_WITHIN_MS);
  await judgeTold(run, world, webhook.arrivals);
  run.figure('requests to the webhook', webhook.requests());
}
