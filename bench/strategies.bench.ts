import type { EntityManager } from '@mikro-orm/mysql';
import { Random } from '../drills/support/random.js';
import type { Bench, BenchRun } from './bench.js';
import { idOf } from './support/ids.js';
import { STRATEGIES, type Contest, type Contested, type StrategyName } from './strategies/contest.js';
import { cpuUsOf } from './support/cpu.js';
import { interleave, WARM_UP } from './support/interleave.js';
import { medianOf, metricOf, pairedRatio, type Rounds, type Sample } from './support/stats.js';
import type { BenchWorld } from './support/world.js';
import { order } from './support/control.js';
import { addConcert, addUsers } from './support/rows.js';

const BUYERS = 500;
/** Take longer than all others together, and are the best in nothing: only in a full run. */
const SLOW: readonly StrategyName[] = ['redis lock', 'bullmq queue'];
/** Few to open connections, then all to compile what is hot. */
const BUYERS_TO_WARM_UP = [100, BUYERS];
const SEATS_TO_WARM_UP = 1000;
const SEATS = [1, 50, 10_000];
const OURS: StrategyName = 'frontrow';

export const strategies: Bench = {
  name: 'strategies',
  asks: 'ways to give each seat to one of many: how fast, at what cost, and whether a seat was sold twice',
  async run(run) {
    const world = await run.world();
    const em = world.app.transactions.fork();
    const [driver] = await Promise.all([world.side('../strategies/driver.ts'), addUsers(em, BUYERS)]);
    const names = STRATEGIES.filter((name) => run.mode === 'full' || !SLOW.includes(name));
    const contests = new Contests(world, em, driver.url);
    for (const seats of SEATS) {
      const sides = names.map((name) => ({ name, measure: (round: number) => contests.hold(name, seats, round) }));
      const title = `${BUYERS} buyers, ${seats.toLocaleString('en')} ${seats === 1 ? 'seat' : 'seats'}`;
      report(run, title, await run.part(title, () => interleave(run, title, sides, run.sized({ quick: 3, full: 9 }))));
    }
    run.expect(contests.errors.size === 0, `everybody got an answer${[...contests.errors].map((error) => `; ${error}`).join('')}`);
    run.expect(contests.doubleSales.get(OURS) === 0, 'Frontrow sold no seat twice');
    run.note('All buyers ask at once, for a seat by chance, the same in all strategies. Completed is an answer: the seat or a refusal. Every strategy writes the seat, a reservation and its event; Frontrow the quota as well.');
    if (names.length < STRATEGIES.length) run.note(`Only a full run has ${SLOW.join(' and ')} too: they take longer than all others together.`);
    run.note('Only the unique key and Frontrow write what a unique key watches: a seat that another strategy sold twice would be seen. The others have 64 connections; Frontrow has its default of 10.');
  },
};

class Contests {
  readonly errors = new Set<string>();
  readonly doubleSales = new Map<StrategyName, number>(STRATEGIES.map((name) => [name, 0]));
  #dates = 0;

  constructor(
    private readonly world: BenchWorld,
    private readonly em: EntityManager,
    private readonly driverUrl: string,
  ) {}

  async hold(strategy: StrategyName, seats: number, round: number): Promise<Sample> {
    if (round !== WARM_UP) return this.#contest(strategy, seats, round, BUYERS);
    let sample: Sample = {};
    for (const buyers of BUYERS_TO_WARM_UP) sample = await this.#contest(strategy, Math.min(seats, SEATS_TO_WARM_UP), round, buyers);
    return sample;
  }

  async #contest(strategy: StrategyName, seats: number, round: number, buyers: number): Promise<Sample> {
    const date = (this.#dates += 1);
    await addConcert(this.em, date, seats, 0);
    const random = new Random(`${seats} seats, round ${round}`);
    const wishes = Array.from({ length: buyers }, () => random.between(1, seats));
    const storesBefore = this.#storesUs();
    const contested = await order<Contest, Contested>(this.driverUrl, { strategy, date, wishes });
    const storesUs = (this.#storesUs() - storesBefore) / buyers;
    for (const error of contested.errors) this.errors.add(`${strategy}: ${error}`);
    const doubleSales = await this.#doubleSales(date);
    this.doubleSales.set(strategy, this.doubleSales.get(strategy)! + doubleSales);
    if (contested.held !== new Set(wishes).size) this.errors.add(`${strategy}: ${contested.held} seats sold of ${new Set(wishes).size} that were wanted`);
    const { seconds, cpuUs, p95Ms, connections, retries } = contested;
    return { perSecond: buyers / seconds, p95Ms, cpuUs: cpuUs / buyers, storesUs, connections, retries, doubleSales };
  }

  #storesUs(): number {
    return cpuUsOf(this.world.database.pid) + cpuUsOf(this.world.redis.pid);
  }

  async #doubleSales(date: number): Promise<number> {
    const [row] = await this.em.execute<{ seats: number }[]>(
      `select count(*) as seats from (select rs.seat_id from reservation r join reservation_seat rs on rs.reservation_id = r.id
       where r.schedule_id = ? and r.status in ('HELD', 'CONFIRMED') group by rs.seat_id having count(*) > 1) twice`,
      [idOf('schedule', date)],
    );
    return Number(row!.seats);
  }
}

const FIGURES = { perSecond: 'completed per second', p95Ms: 'p95 ms', cpuUs: 'node µs each', storesUs: 'database and Redis µs each', connections: 'connections at once', retries: 'retries', doubleSales: 'seats sold twice' };

function report(run: BenchRun, title: string, rounds: Rounds): void {
  const median = (side: string, metric: string): number => medianOf(metricOf(rounds, side, metric));
  const names = [...rounds.keys()];
  run.table({ title, columns: ['', ...Object.values(FIGURES)], rows: names.map((name) => [name, ...Object.keys(FIGURES).map((metric) => median(name, metric))]) });
  run.plot({ title: `${title}: completed per second`, kind: 'bars', unit: 'answers/s', bars: names.map((name) => ({ name, value: median(name, 'perSecond') })) });
  for (const [metric, better] of [['perSecond', 'higher'], ['p95Ms', 'lower']] as const) {
    const ratios = names.filter((name) => name !== OURS).map((to) => ({ to, ratio: pairedRatio(rounds, { of: OURS, to, metric, better }) }));
    const { to } = ratios.toSorted((one, other) => one.ratio.median - other.ratio.median)[0]!;
    run.compare(`${title}: ${FIGURES[metric]} beside the best other, ${to}`, rounds, { of: OURS, to, metric, better, wanted: { atLeast: 1 } });
  }
}
