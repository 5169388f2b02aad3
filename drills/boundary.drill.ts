import { CannotTell, type Drill, type DrillRun } from './drill.js';
import { plantedEnv } from './inject/environment.js';
import { Aim, DatabaseClock } from './support/aim.js';
import { DrillBuyer } from './support/buyer.js';
import { BuyerPool } from './support/buyer-pool.js';
import { histogramOf, judgeBoundary, takeovers } from './support/boundary-judge.js';
import { BoundaryRace, isInWindow, WINDOW_MS, type Aims, type Shot } from './support/boundary-race.js';
import { DrillClient } from './support/client.js';
import type { FinalState } from './support/final-state.js';
import { Judgements, tellingEdits } from './support/judgements.js';
import { judgeSale } from './support/settle.js';
import { negativeControl } from './support/sub-run.js';
import type { World } from './support/world.js';

/** Payments at the very end of holds: exactly one of paid and over, whoever else is after the seats. */

export interface BoundarySize {
  /** Which payments are trials: those that came within 15 ms of the end; or all that were aimed at it, where a busy machine must not make the drill longer. */
  counts: 'within window' | 'aimed';
  /** Trials: with workers that end holds, and without. */
  besideWorkers: number;
  alone: number;
  /** At once, at most. */
  lanes: number;
  buyers: number;
  /** Of the aiming and of each part. */
  withinMs: number;
}

export const BOUNDARY_ENV = { HOLD_TTL_MS: '500', SWEEP_INTERVAL_MS: '1000', QUEUE_ACTIVE_MAX: '1000000', QUEUE_PASS_ATTEMPTS_MAX: '1000000', QUEUE_PASS_TTL_MS: '7200000' };
const SHARE_MIN = 0.2;
const SEATS_PER_DATE = 1000;
const BUYERS_BATCH_MAX = 500;
const PRICE = 1000;
const LEAD_FIRST_MS = 15;
const RELEASE_FIRST_MS = 3;
const AIMED_SHOTS = 60;
const ACCOUNTS_READ_MAX = 200;
/** Thousands of jobs wait for the workers that come back. */
const SETTLED_WITHIN_MS = 60_000;

const GUARD_OFF = {
  name: 'a payment that does not look whether the hold is over',
  edits: [{ file: 'domain/payment.ts', find: "if (isOver(hold, now)) throw new ReservationNotPayable('EXPIRED');", replace: '' }],
  kinds: ['late-payment', 'invariant paid-in-time'],
};

export const boundary: Drill = {
  name: 'boundary',
  proves: `payments within ${WINDOW_MS} ms of the end of their hold: each is either paid, with seats and ledger, or over, with nothing, and nobody else has the seats before the end`,
  async run(run) {
    const sizes: Record<DrillRun['scale'], BoundarySize> = {
      small: { counts: 'aimed', besideWorkers: 210, alone: 100, lanes: 30, buyers: 400, withinMs: 60_000 },
      full: { counts: 'within window', besideWorkers: 7000, alone: 3000, lanes: 40, buyers: 2000, withinMs: 400_000 },
    };
    const world = await run.world({ apis: run.sized({ small: 2, full: 3 }), workers: 1, env: { ...BOUNDARY_ENV, ...plantedEnv(tellingEdits()) } });
    await drillBoundary(run, world, run.sized(sizes));
    if (run.scale === 'full') await controlBoundary(run);
  },
};

/** What the drill finds with the guard off. */
export const controlBoundary = (run: DrillRun): Promise<void> =>
  negativeControl(run, GUARD_OFF, async (control) => {
    const world = await control.world({ apis: 1, workers: 1, env: BOUNDARY_ENV });
    await drillBoundary(control, world, { counts: 'aimed', besideWorkers: 60, alone: 0, lanes: 12, buyers: 100, withinMs: 20_000 });
  });

export async function drillBoundary(run: DrillRun, world: World, size: BoundarySize): Promise<void> {
  const race = await raceAtBoundary(run, world, size);
  const final = await run.part('judging', () => judgeSale(run, world, { buyers: run.random.sample(race.buyers, ACCOUNTS_READ_MAX), withinMs: SETTLED_WITHIN_MS }));
  judgeRace(run, race, final);
}

export interface Raced {
  race: BoundaryRace;
  size: BoundarySize;
  aims: Aims;
  clock: DatabaseClock;
  buyers: DrillBuyer[];
}

/** Payments until enough of them came near the end of their holds. */
export async function raceAtBoundary(run: DrillRun, world: World, size: BoundarySize): Promise<Raced> {
  const target = size.besideWorkers + size.alone;
  const concert = await world.build.concert({ seats: SEATS_PER_DATE, dates: Math.ceil((target * 2) / SEATS_PER_DATE) + 1, price: PRICE });
  const client = new DrillClient({ history: run.history, targets: world.apis, random: run.random.fork('client'), signal: run.signal });
  run.closing(() => client.close());
  const buyers = new BuyerPool(async (count) => {
    const admitted = await world.build.admit(concert.id, await world.build.buyers(count, { balance: PRICE }));
    return admitted.map((account) => new DrillBuyer(client, account));
  }, Math.min(size.buyers, BUYERS_BATCH_MAX));
  await buyers.fill(size.buyers);
  const clock = await DatabaseClock.measure(world);
  const aims = { send: new Aim(LEAD_FIRST_MS), release: new Aim(RELEASE_FIRST_MS) };
  const race = new BoundaryRace(run, concert, SEATS_PER_DATE, buyers, clock, aims, new Judgements(world.apis), world.app.transactions);

  await run.part('aiming', () => shoot(run, race, size, isAimed));
  if (size.besideWorkers > 0) await run.part('paying while workers end holds', () => shoot(run, race, size, (shots) => isEnough(shots, size, size.besideWorkers)));
  if (size.alone > 0) await run.part('paying while no worker runs', () => withoutWorkers(world, () => shoot(run, race, size, (shots) => isEnough(shots, size, target))));
  return { race, size, aims, clock, buyers: buyers.everyone };
}

export function judgeRace(run: DrillRun, raced: Raced, final: FinalState): void {
  const { race } = raced;
  run.violations([...race.found, ...judgeBoundary(race.shots, final)]);
  report(run, counted(race.shots, raced.size), raced, takeovers(race.shots, final));
}

const counted = (shots: readonly Shot[], { counts }: BoundarySize): readonly Shot[] => (counts === 'aimed' ? shots : shots.filter(isInWindow));

const shareOfPaid = (shots: readonly Shot[]): number => (shots.length === 0 ? 0 : shots.filter(({ paidAt }) => paidAt !== null).length / shots.length);
const bothExceed = (share: number): boolean => share > SHARE_MIN && share < 1 - SHARE_MIN;

function isEnough(shots: readonly Shot[], size: BoundarySize, count: number): boolean {
  const trials = counted(shots, size);
  return trials.length >= count && bothExceed(shareOfPaid(trials));
}

const isAimed = (shots: readonly Shot[]): boolean => shots.length >= AIMED_SHOTS && bothExceed(shareOfPaid(shots.slice(-AIMED_SHOTS)));

/** Too slow a machine leaves open what would have been. */
async function shoot(run: DrillRun, race: BoundaryRace, { lanes, withinMs }: BoundarySize, enough: (shots: readonly Shot[]) => boolean): Promise<void> {
  const endsAt = performance.now() + withinMs;
  let hit = false;
  let saidAt = performance.now();
  const progress = (shots: readonly Shot[]): void => {
    if (performance.now() - saidAt < SAY_EVERY_MS) return;
    saidAt = performance.now();
    run.say(`${shots.length} payments, ${shots.filter(isInWindow).length} of them within ${WINDOW_MS} ms of the end`);
  };
  await race.until((shots) => {
    progress(shots);
    return (hit = enough(shots)) || performance.now() > endsAt || race.found.length > VIOLATIONS_ENOUGH;
  }, lanes);
  if (!hit && race.found.length === 0) throw new CannotTell(`Too few payments came within ${WINDOW_MS} ms of the end in ${withinMs / 1000} s: ${histogramOf(race.shots)}.`);
}

const VIOLATIONS_ENOUGH = 10;
const SAY_EVERY_MS = 10_000;

async function withoutWorkers(world: World, work: () => Promise<void>): Promise<void> {
  await Promise.all(world.workers.map((worker) => worker.stop()));
  await work();
  await Promise.all(world.workers.map((worker) => worker.start()));
}

function report(run: DrillRun, trials: readonly Shot[], { race, aims, clock }: Raced, delays: number[]): void {
  const share = shareOfPaid(trials);
  run.figure('trials', trials.length);
  run.figure('payments', race.shots.length);
  run.figure(`payments within ${WINDOW_MS} ms of the end`, race.shots.filter(isInWindow).length);
  run.figure('paid, %', percent(share));
  run.figure('over, %', percent(1 - share));
  run.expect(bothExceed(share), `both outcomes must exceed ${SHARE_MIN * 100} %: ${percent(share)} % of ${trials.length} were paid`);
  run.figure('ms from the end of the hold', histogramOf(race.shots));
  run.figure('sent before the end at last, ms', Math.round(aims.send.leadMs));
  run.figure('row given before the end at last, ms', Number(aims.release.leadMs.toFixed(1)));
  run.figure('from sending to the judgement, median, ms', Math.round(aims.send.latencyMs()));
  run.figure('clock of the database ahead, ms', Number(clock.aheadMs.toFixed(1)));
  const sorted = delays.toSorted((a, b) => a - b);
  run.figure('seats taken over', sorted.length);
  if (sorted.length === 0) return;
  run.figure('earliest takeover after the end, ms', sorted[0]!);
  run.figure('takeover after the end, median, ms', sorted[Math.floor(sorted.length / 2)]!);
  run.expect(sorted[0]! >= 0, `a seat was reserved ${-sorted[0]!} ms before the end of its hold`);
}

const percent = (share: number): number => Number((share * 100).toFixed(1));
