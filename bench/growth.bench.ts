import type { Bench, BenchRun } from './bench.js';
import { Town } from './growth/town.js';
import { interleave } from './support/interleave.js';
import { withCores } from './support/pin.js';
import { isNoisy, medianOf, metricOf, pairedRatio, type Rounds } from './support/stats.js';

const SIZES = { quick: [1000, 100_000], full: [1000, 10_000, 100_000, 1_000_000] };
const COSTS = { reserveMs: 'one reserve', positionMs: 'one position', admissionMs: 'one tick that admits 10' };
const FLAGS = ['--innodb-buffer-pool-size=1G'];

export const growth: Bench = {
  name: 'growth',
  asks: 'what one reserve, one position and one admission cost as users and seats grow, and what a waiting user costs Redis',
  async run(run) {
    const world = await run.world({ database: { flags: FLAGS } });
    const towns = await run.part('towns', () => withCores('both', world.database, () => Promise.all(run.sized(SIZES).map((size, index) => Town.build(world, size, index + 1)))));
    run.closing(() => Promise.all(towns.map((town) => town.close())));
    const sides = towns.map((town) => ({ name: named(town.size), measure: () => town.measure() }));
    report(run, towns, await run.part('costs', () => interleave(run, 'costs', sides, run.sized({ quick: 3, full: 9 }))));
  },
};

const named = (size: number): string => `${size.toLocaleString('en')} users and seats`;

function report(run: BenchRun, towns: readonly Town[], rounds: Rounds): void {
  const median = (town: Town, cost: string): number => medianOf(metricOf(rounds, named(town.size), cost));
  run.table({
    title: 'Cost alone, in ms',
    columns: ['', ...Object.values(COSTS), 'bytes of Redis for one who waits', 'and for the event of joining until it is relayed'],
    rows: towns.map((town) => [named(town.size), ...Object.keys(COSTS).map((cost) => median(town, cost)), town.memory.line, town.memory.events]),
    note: 'One after the other, by one process on an otherwise idle machine: what is counted is the whole way, Redis and database with it.',
  });
  run.plot({
    title: 'Cost alone', kind: 'lines', x: 'users and seats', y: 'ms', logarithmic: 'x',
    series: Object.entries(COSTS).map(([cost, name]) => ({ name, points: towns.map((town) => [town.size, median(town, cost)] as [number, number]) })),
  });
  const [few, many] = [towns[0]!, towns.at(-1)!];
  const logarithm = Math.log(many.size) / Math.log(few.size);
  for (const [metric, name] of Object.entries(COSTS)) {
    const ratio = pairedRatio(rounds, { of: named(few.size), to: named(many.size), metric, better: 'lower' });
    run.gate({ name: `${name}: from ${few.size.toLocaleString('en')} to ${many.size.toLocaleString('en')}, at most as the logarithm`, value: ratio.median, min: ratio.min, max: ratio.max, atMost: logarithm, unit: '×', noisy: isNoisy(ratio) });
  }
}
