import type { BenchRun } from '../bench.js';
import { Histogram } from '../support/histogram.js';
import type { FlowsResult } from '../support/load-jobs.js';
import type { Market } from './market.js';
import { FRONTROW, NAIVE, VISITS, type Seller } from './sellers.js';
import { makeVisitors } from './visitors.js';

/** Charge, concerts, dates, seats, reserve, pay: 50 users become 300, stay, and go. */

const [FEW, MANY] = [50, 300];
const PUBLISHED = { perSecond: 312, averageMs: 621, p95Ms: 1850, maxMs: 8390, failedPercent: 0.09 };
/** Warms up, and tells how many visitors there have to be: a server that was just started becomes several times as fast. The entities take longer, as they answer fewer in a second. */
const TRIAL_MS: Record<string, number> = { [FRONTROW]: 1500, [NAIVE]: 3000 };
const TRIAL_VISITORS = { quick: 1500, full: 3000 };
const SPARE = { quick: 4, full: 2.5 };
const VISITORS_MAX = 400_000;
const DATES_PER_CONCERT = 5;
const PAID_SHARE = 0.95;

type Durations = Record<'rampMs' | 'holdMs' | 'downMs', number>;

const MINUTE: Durations = { rampMs: 25_000, holdMs: 25_000, downMs: 10_000 };
const THREE_MINUTES: Durations = { rampMs: 60_000, holdMs: 90_000, downMs: 30_000 };

/** `ramp` begins with the few. */
const stagesOf = ({ rampMs, holdMs, downMs }: Durations) => [{ ms: 1, users: FEW }, { ms: rampMs, users: MANY }, { ms: holdMs, users: MANY }, { ms: downMs, users: FEW }];

export async function timeMixedFlow(run: BenchRun, market: Market): Promise<void> {
  const { frontrow, naive } = market;
  const durations = run.sized<Durations>({ quick: { rampMs: 1000, holdMs: 1000, downMs: 500 }, full: run.short ? MINUTE : THREE_MINUTES });
  const ours = await run.part('Frontrow', () => visit(run, market, frontrow, durations));
  const theirs = await run.part(naive.name, () => visit(run, market, naive, durations));
  const [ourTimes, theirTimes] = [Histogram.of(ours.times), Histogram.of(theirs.times)];

  run.note(`Mixed flow: each iteration is a fresh user with a session and a pass, who charges, looks at concerts, dates and 50 seats, reserves one and pays it; ${FEW} users at once become ${MANY} in ${durations.rampMs / 1000} s, stay for ${durations.holdMs / 1000} s and go within ${durations.downMs / 1000} s, without pausing between requests. The same for ${naive.name} with pessimistic locks, after it.`);
  for (const [{ name }, { failed, firstErrors, ranOut }] of [[frontrow, ours], [naive, theirs]] as const) {
    run.expect(failed === 0, `mixed flow, ${name}: no errors but refusals${firstErrors[0] ? `: ${firstErrors[0]}` : ''}`);
    run.expect(!ranOut, `mixed flow, ${name}: there were visitors to its end`);
  }
  run.gate({ name: 'mixed flow: share of iterations that end in a payment', value: ours.completed / ours.used, atLeast: PAID_SHARE });
  run.gate({ name: `mixed flow: p95 by that of ${naive.name}`, value: ourTimes.quantileMs(0.95) / theirTimes.quantileMs(0.95), atMost: 1 / 5 });
  for (const { name, wrongs } of [frontrow, naive]) {
    const found = await run.part(`rows of ${name}`, wrongs);
    run.expect(found.length === 0, `mixed flow, ${name}: money and seats agree afterwards${found.length > 0 ? `: ${found.join(', ')}` : ''}`);
  }
  tell(run, [[frontrow.name, ours], [naive.name, theirs]]);
}

async function visit(run: BenchRun, { world, load }: Market, seller: Seller, durations: Durations): Promise<FlowsResult> {
  const { seats, reserve, pay } = seller.steps;
  const job = { port: seller.server.port, steps: [VISITS.charge, VISITS.concerts, VISITS.dates, seats, reserve, pay], pids: seller.pids };
  const go = async (count: number, stages: { ms: number; users: number }[]): Promise<FlowsResult> => {
    const visitors = await makeVisitors(world, seller, count, { balance: 0, admitted: true, datesPerConcert: DATES_PER_CONCERT });
    const result = await seller.turn(() => load.flows({ ...job, people: visitors.file, from: 0, to: visitors.count, stages }));
    visitors.remove();
    await seller.arena.empty();
    return result;
  };
  const trial = await go(run.sized(TRIAL_VISITORS), [{ ms: TRIAL_MS[seller.name]!, users: run.sized({ quick: FEW, full: MANY }) }]);
  const seconds = (durations.rampMs + durations.holdMs + durations.downMs) / 1000;
  const wanted = Math.min(VISITORS_MAX, MANY + Math.ceil((trial.used / trial.seconds) * seconds * run.sized(SPARE)));
  run.say(`${seller.name}: ${wanted} visitors for ${seconds} s`);
  return go(wanted, stagesOf(durations));
}

function tell(run: BenchRun, results: readonly [name: string, FlowsResult][]): void {
  const row = ([name, result]: readonly [string, FlowsResult]): (string | number)[] => {
    const times = Histogram.of(result.times);
    return [name, times.count / result.seconds, result.completed / result.seconds, times.averageMs, times.quantileMs(0.95), times.maxMs, (100 * result.failed) / result.used, (100 * result.completed) / result.used];
  };
  run.table({
    title: `Mixed flow, ${FEW} to ${MANY} users`,
    columns: ['', 'requests/s', 'iterations/s', 'average ms', 'p95 ms', 'max ms', 'failed %', 'paid %'],
    rows: [...results.map(row), ['published by a system of this kind', PUBLISHED.perSecond, '–', PUBLISHED.averageMs, PUBLISHED.p95Ms, PUBLISHED.maxMs, PUBLISHED.failedPercent, '–']],
    note: 'The published figures were measured on another machine: they give an order of magnitude, and no ratio is claimed.',
  });
  const [, ours] = results[0]!;
  run.table({
    title: `${results[0]![0]}, step by step`,
    columns: ['', 'answered', 'refused', 'errors', 'average ms', 'p95 ms', 'max ms'],
    rows: ours.steps.map(({ name, answered, refused, errors, times }) => {
      const histogram = Histogram.of(times);
      return [name, answered, refused, errors, histogram.averageMs, histogram.quantileMs(0.95), histogram.maxMs];
    }),
  });
  plots(run, results);
}

function plots(run: BenchRun, results: readonly [name: string, FlowsResult][]): void {
  const series = (metric: 'answered' | 'averageMs' | 'p95Ms') => results.map(([name, { timeline }]) => ({ name, points: timeline.map((second) => [second.second, second[metric]] as [number, number]) }));
  const users = results[0]![1].timeline.map(({ second, users: count }) => [second, count] as [number, number]);
  const published = (name: string, value: number) => [{ name: `published: ${name}`, value }];
  run.plot({ kind: 'lines', title: 'Mixed flow: users over time', x: 'seconds', y: 'users', series: [{ name: 'users', points: users }] });
  run.plot({ kind: 'lines', title: 'Mixed flow: requests per second', x: 'seconds', y: 'requests per second', logarithmic: 'y', series: series('answered'), references: published('312/s', PUBLISHED.perSecond) });
  run.plot({ kind: 'lines', title: 'Mixed flow: average time', x: 'seconds', y: 'ms', logarithmic: 'y', series: series('averageMs'), references: published('621 ms', PUBLISHED.averageMs) });
  run.plot({ kind: 'lines', title: 'Mixed flow: p95', x: 'seconds', y: 'ms', logarithmic: 'y', series: series('p95Ms'), references: published('1.85 s', PUBLISHED.p95Ms) });
}
