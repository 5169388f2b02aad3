import type { Bench, BenchRun } from './bench.js';
import { MARKET, openMarket, type Market } from './flows/market.js';
import { FRONTROW, NAIVE, RAW } from './flows/sellers.js';
import { makeVisitors, SEATS_PER_DATE } from './flows/visitors.js';
import { Histogram } from './support/histogram.js';
import { interleave, WARM_UP, type Side } from './support/interleave.js';
import type { FlowsResult } from './support/load-jobs.js';
import { barOf, metricOf, spreadOf, type Rounds, type Sample } from './support/stats.js';

/** From the line to the paid seat, beside what one would write first and what is left when all but the sale is taken away. */
export const wholeFlow: Bench = {
  name: 'whole-flow',
  asks: 'How many people per second go from the line to a paid seat, beside Apollo + express + MikroORM entities and beside bare node:http with hand-written SQL?',
  stage: MARKET,
  run: measure,
};

const DECIDES = 300;
/** Shown beside it, once all sides are warm. */
const FEWER = 64;
/** About how long people wait in line: so many more are let join by each connection meanwhile. */
const IN_LINE_S = 0.25;
const [IN_LINE_MIN, IN_LINE_MAX] = [2, 24];
/** Visitors that are made for a turn, beyond what the turn before needed. */
const SPARE = 1.6;
const FIRST_GUESS: Record<string, number> = { [FRONTROW]: 1500, [RAW]: 3000, [NAIVE]: 200 };
const DATES = 20;
/**
 * Of a quick run, by how much code a side has: the statements by hand have been seen thousands of times after a moment, and the entities' people are still at work for seconds after the end.
 * After the mixed flow there is little that Frontrow and the entities have not yet done.
 */
const QUICK_WARM_UP_MS: Record<'cold' | 'warm', Record<string, number>> = { cold: { [FRONTROW]: 4000, [RAW]: 2000, [NAIVE]: 3000 }, warm: { [FRONTROW]: 2000, [RAW]: 2000, [NAIVE]: 500 } };

async function measure(run: BenchRun): Promise<void> {
  const market = await openMarket(run);
  tellWhatTheyDo(run);
  const errors: string[] = [];
  for (const connections of run.sized({ quick: [DECIDES], full: [DECIDES, FEWER] })) {
    const rounds = await run.part(`${connections} connections`, () => timeFlows(run, market, connections, errors));
    report(run, rounds, connections);
    if (connections !== DECIDES) continue;
    run.compare(`whole flow at ${connections} connections by ${NAIVE}, flows per second`, rounds, { of: FRONTROW, to: NAIVE, metric: 'perSecond', better: 'higher', wanted: { atLeast: 15 } });
    run.compare(`whole flow at ${connections} connections by ${RAW}, flows per second`, rounds, { of: FRONTROW, to: RAW, metric: 'perSecond', better: 'higher', wanted: { atLeast: 0.5 } });
  }
  run.expect(errors.length === 0, `no flow ends before its payment${errors.length > 0 ? `: ${errors.join('; ')}` : ''}`);
  market.isWarm = true;
  for (const { name, wrongs } of [market.frontrow, market.raw, market.naive]) {
    const found = await run.part(`rows of ${name}`, wrongs);
    run.expect(found.length === 0, `money and seats of ${name} agree afterwards${found.length > 0 ? `: ${found.join(', ')}` : ''}`);
  }
}

function tellWhatTheyDo(run: BenchRun): void {
  run.note(`A flow: join the line, read the ${SEATS_PER_DATE} seats of a date, reserve one, pay it; each by a user who was never seen before, ${DATES} dates at a time. What a side runs itself has one core, Frontrow's worker too; the load, MariaDB and Redis share the other one.`);
  run.note('At Frontrow people wait in line until the admission job of the worker lets them in (every 100 ms); each connection lets others join meanwhile, and who asks too early asks again. Every guard is on, and every reserve and payment also writes quota, pass, outbox event, gate and expiry job.');
  run.note(`${NAIVE}: Apollo Server with expressMiddleware, MikroORM entities in em.transactional with pessimistic locks, reads by em.find; the line is four commands to Redis that let everybody in at once. Rows: reservation, reservation_seat, seat, wallet (version compared), payment, ledger.`);
  run.note(`${RAW}: the same rows by hand-written SQL, all that wait in one transaction by one writer; joins of a tick in one command to Redis; seats from a copy of at most one second; the access token is checked, nothing else.`);
}

function timeFlows(run: BenchRun, { world, load, frontrow, raw, naive, isWarm }: Market, connections: number, errors: string[]): Promise<Rounds> {
  const turnMs = run.sized({ quick: 1500, full: 5000 });
  const sides = [frontrow, raw, naive].map((seller): Side => {
    let perSecond = FIRST_GUESS[seller.name]!;
    return {
      name: seller.name,
      measure: async (round) => {
        const ms = round === WARM_UP ? run.sized({ quick: QUICK_WARM_UP_MS[isWarm ? 'warm' : 'cold'][seller.name]!, full: 8000 }) : turnMs;
        const ahead = seller.hasLine ? Math.min(IN_LINE_MAX, Math.max(IN_LINE_MIN, Math.ceil((perSecond * IN_LINE_S) / connections))) : 0;
        // Those who are at work or in line when the time is over have begun as well.
        const count = connections * (1 + ahead) + Math.ceil(perSecond * SPARE * (ms / 1000));
        const visitors = await makeVisitors(world, seller, count, { balance: 10_000, admitted: false, datesPerConcert: DATES });
        const { join, seats, reserve, pay } = seller.steps;
        const job = { port: seller.server.port, steps: [join, seats, reserve, pay], people: visitors.file, from: 0, to: visitors.count, stages: [{ ms, users: connections }], pids: seller.pids, ahead };
        const result = await seller.turn(() => load.flows(job));
        visitors.remove();
        if (result.failed + result.refused > 0) errors.push(`${seller.name}: ${result.failed} failed and ${result.refused} refused: ${result.firstErrors[0]}`);
        if (result.ranOut && round !== WARM_UP) errors.push(`${seller.name}: there were too few people for a turn of ${ms} ms`);
        const sample = sampleOfFlows(result);
        perSecond = sample['perSecond']!;
        return sample;
      },
    };
  });
  return interleave(run, `${connections} connections`, sides, run.sized({ quick: 2, full: 5 }));
}

function sampleOfFlows({ completed, seconds, cpuUs, steps, times }: FlowsResult): Sample {
  const [reserve, pay] = ['reserve', 'pay'].map((name) => Histogram.of(steps.find((step) => step.name === name)!.times));
  return {
    perSecond: completed / seconds,
    serverUs: cpuUs[0]! / completed,
    redisUs: cpuUs.at(-1)! / completed,
    databaseUs: cpuUs.at(-2)! / completed,
    workerUs: cpuUs.length > 3 ? cpuUs[1]! / completed : 0,
    reserveP95Ms: reserve!.quantileMs(0.95),
    payP95Ms: pay!.quantileMs(0.95),
    p95Ms: Histogram.of(times).quantileMs(0.95),
  };
}

function report(run: BenchRun, rounds: Rounds, connections: number): void {
  const names = [...rounds.keys()];
  const metrics = ['perSecond', 'serverUs', 'workerUs', 'databaseUs', 'redisUs', 'reserveP95Ms', 'payP95Ms'];
  run.table({
    title: `Whole flow, ${connections} connections`,
    columns: ['', 'flows per second', 'server µs per flow', 'worker µs', 'MariaDB µs', 'Redis µs', 'reserve p95 ms', 'pay p95 ms'],
    rows: names.map((name) => [name, ...metrics.map((metric) => spreadOf(metricOf(rounds, name, metric)).median)]),
  });
  run.plot({ kind: 'bars', title: `Whole flow, ${connections} connections`, unit: 'flows per second', bars: names.map((name) => ({ name, ...barOf(spreadOf(metricOf(rounds, name, 'perSecond'))) })) });
}
