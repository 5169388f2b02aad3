import type { Buyer } from '../../test/support/builder.js';
import type { DrillRun } from '../drill.js';
import { expectAnswersInTime } from './answer-times.js';
import { DrillBuyer } from './buyer.js';
import { DrillClient } from './client.js';
import { Crowd, USUAL_HABITS, type Habits, type Show } from './crowd.js';
import type { Operation } from './history.js';
import { Line } from './line.js';
import { Prober } from './prober.js';
import { judgeSale } from './settle.js';
import { decidedOf } from './trials.js';
import type { World } from './world.js';

/** A sale that goes on while something is broken: people who buy and change their minds, a line that moves slowly, and a prober who tells when everything works again. */

export interface LoadSizes {
  buyers: number;
  seats: number;
  /** Visits under way at the same time. */
  atOnce: number;
  /** In line before anything happens; more come meanwhile. */
  inLine: number;
  holdTtlMs: number;
  /** How often people in line look at their place; a lost line waits for them three times as long. */
  lookEveryMs: number;
  /** Of those who have paid; what is kept is not sold again. */
  refunds?: number;
}

const CHANGES = ['reserve', 'cancel', 'charge', 'pay', 'refund'];
const PRICE = 10_000;
/** Money goes to and fro as long as the faults go on. */
const HABITS: Habits = { ...USUAL_HABITS, wantsHotSeat: 0.2, hotSeats: 4, walksAway: 0.15, cancels: 0.15, givesUp: 0, refunds: 0.9 };

export const environmentOf = ({ holdTtlMs, lookEveryMs }: LoadSizes): Record<string, string> => ({
  HOLD_TTL_MS: String(holdTtlMs), SWEEP_INTERVAL_MS: '1000', ACCESS_TOKEN_TTL_MS: '7200000', SEATS_PER_USER_MAX: '20',
  QUEUE_ADMIT_COUNT: '1000', QUEUE_ADMIT_INTERVAL_MS: '200', QUEUE_ACTIVE_MAX: '10000', QUEUE_TICK_MS: '100', QUEUE_PASS_ATTEMPTS_MAX: '1000000',
  QUEUE_REBUILD_GRACE_MS: String(3 * lookEveryMs),
});

export class MixedLoad {
  private constructor(
    private readonly run: DrillRun,
    private readonly world: World,
    readonly client: DrillClient,
    /** Everybody whose account is judged in the end. */
    readonly buyers: readonly DrillBuyer[],
    readonly line: Line,
    readonly prober: Prober,
    private readonly crowd: Crowd,
    private readonly atOnce: number,
  ) {}

  static async open(run: DrillRun, world: World, sizes: LoadSizes): Promise<MixedLoad> {
    const client = new DrillClient({ history: run.history, targets: world.apis, random: run.random.fork('client'), signal: run.signal });
    run.closing(() => client.close());
    const asBuyer = (account: Buyer): DrillBuyer => new DrillBuyer(client, account);
    const buyers = (await world.build.buyers(sizes.buyers)).map(asBuyer);
    const show: Show = { ...(await world.build.concert({ seats: sizes.seats, price: PRICE })), seats: sizes.seats, price: PRICE };
    const line = await Line.open(run, world, client, sizes);
    const prober = await Prober.open(run, world, client);
    const crowd = new Crowd(run, 'the sale', client, buyers, show, { ...HABITS, refunds: sizes.refunds ?? HABITS.refunds });
    await crowd.joinAll();
    return new MixedLoad(run, world, client, [...buyers, ...prober.buyers], line, prober, crowd, sizes.atOnce);
  }

  /** People buy until the faults are over. */
  async during(faults: () => Promise<void>): Promise<void> {
    let over = false;
    const broken = faults().finally(() => (over = true));
    await Promise.all([broken, this.crowd.visits(this.atOnce, () => over)]);
  }

  /** Everything comes to rest and is judged; those calls had to be answered in time that the drill did not cut off itself. */
  async judge(cutOff: (operation: Operation) => boolean = () => false): Promise<void> {
    const { run, world } = this;
    await run.part('the line', () => this.line.finish());
    await run.part('judgement', () => judgeSale(run, world, { buyers: this.buyers }));
    this.prober.figures();
    run.figure('payments acknowledged', this.crowd.payments);
    run.figure('trials', decidedOf(run.history.operations, CHANGES));
    expectAnswersInTime(run, { operations: run.history.operations.filter((operation) => !cutOff(operation)) });
  }
}
