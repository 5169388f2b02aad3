import type { EntityManager } from '@mikro-orm/mysql';
import { checkInvariants } from '../src/database/check-invariants.js';
import type { Bench, BenchRun, Wanted } from './bench.js';
import { interleave, WARM_UP, type Side } from './support/interleave.js';
import { medianOf, metricOf, type Rounds, type Sample } from './support/stats.js';
import type { BenchWorld } from './support/world.js';
import { cpuUsOf } from './support/cpu.js';
import { ACTS, type Act, type Burst, type Outcome, type Writer } from './support/burst.js';
import { order } from './support/control.js';
import { commitsOf } from './writes/commits.js';
import { overHttp } from './writes/over-http.js';
import { addConcert, addUsers } from './support/rows.js';

/** Of each measurement: large enough to take a while, small enough that all of them fit. One at a time comes last: by then the code of both sides is warm. */
const REQUESTS = {
  quick: new Map([[64, 1000], [1, 100]]),
  full: new Map([[256, 6000], [64, 6000], [8, 2000], [1, 500]]),
};
/** Until a side has worked for so long it is not measured: the code of a write is large, and it is fast only when the engine has seen it often. */
const WARM_UP_MS = { quick: 2500, full: 6000 };
/** One at a time after many at once: what is left to see is the way of a group of one. */
const WARM_UP_AGAIN_MS = { quick: 1000, full: 6000 };
/** Requests at a time while a side warms up: so many of those at once that the time it is given is hardly exceeded. */
const warmUpRequests = (concurrency: number): number => Math.max(100, 8 * concurrency);
/** Nobody reserves twice in one measurement, and each has a concert of its own. */
const USERS = 6000;

/**
 * As much as a run writes, and more. With MariaDB's own 96 MB the 64 connections of raw statements came to a standstill for minutes, waiting for room in the log, as
 * far as their stacks show; with 1 GB not once.
 */
const REDO_LOG = { quick: '256M', full: '2G' };

/** What must be seen, by the number of requests at once. */
const WANTED = new Map<number, Wanted>([[1, { atLeast: 0.7 }], [64, { atLeast: 4, aim: 7.5 }]]);

export const writes: Bench = {
  name: 'writes',
  asks: 'reserve, pay and charge against raw prepared statements that write the same rows',
  async run(run) {
    const world = await run.world({ database: { flags: [`--innodb-log-file-size=${run.sized(REDO_LOG)}`] } });
    const em = world.app.transactions.fork();
    const [driver] = await Promise.all([world.side('../writes/driver.ts'), addUsers(em, run.sized({ quick: 1000, full: USERS }))]);
    const measurements = new Measurements(world, em, driver.url);
    const rounds = run.sized({ quick: 3, full: 7 });
    for (const [concurrency, count] of run.sized(REQUESTS)) {
      const measured = await run.part(`${concurrency} at once`, () => interleave(run, `${concurrency} at once`, measurements.sides({ concurrency, count, warmUpMs: run.sized(concurrency === 1 ? WARM_UP_AGAIN_MS : WARM_UP_MS) }), rounds));
      report(run, concurrency, measured);
    }
    await driver.stop();
    await run.part('over HTTP', () => overHttp(run, world));
    const findings = await checkInvariants(world.app.orm, { ...world.app.config, settled: false });
    run.expect(measurements.errors.size === 0, `no write failed${[...measurements.errors].map((error) => `; ${error}`).join('')}`);
    run.expect(findings.every(({ count }) => count === 0), `what must always be true of the rows is true${findings.filter(({ count }) => count > 0).map(({ name }) => `; not ${name}`).join('')}`);
    run.note('Both sides write the same rows: seat, quota, reservation, its seat, event; wallet, ledger, reservation, payment, seat, pass, event; wallet, ledger, charge, event. Frontrow also asks and tells Redis.');
    run.note('MariaDB has a redo log that the run does not fill. With the 96 MB that it comes with, 64 connections of raw statements may come to a standstill for minutes.');
    run.note('Raw is mysql2 with prepared statements, one transaction of 8 to 13 round trips for each request on up to 64 connections. Distinct users and seats, fresh rows in each round; before payments are measured Redis knows the line, and Frontrow the queue tokens, as it does once their owners have reserved.');
  },
};

/** One measurement is all three acts of the same users, on a concert of their own. */
class Measurements {
  readonly errors = new Set<string>();
  #concerts = 0;

  constructor(
    private readonly world: BenchWorld,
    private readonly em: EntityManager,
    private readonly driverUrl: string,
  ) {}

  sides({ concurrency, count, warmUpMs }: { concurrency: number; count: number; warmUpMs: number }): Side[] {
    return (['raw', 'frontrow'] as const).map((writer) => ({ name: writer, measure: (round) => (round === WARM_UP ? this.#warmUp(writer, concurrency, count, warmUpMs) : this.#measure(writer, concurrency, count)) }));
  }

  async #warmUp(writer: Writer, concurrency: number, count: number, warmUpMs: number): Promise<Sample> {
    const startedAt = performance.now();
    let sample: Sample = {};
    while (performance.now() - startedAt < warmUpMs) sample = await this.#measure(writer, concurrency, Math.min(count, warmUpRequests(concurrency)));
    return sample;
  }

  async #measure(writer: Writer, concurrency: number, count: number): Promise<Sample> {
    const concert = (this.#concerts += 1);
    await addConcert(this.em, concert, count, count);
    const sample: Record<string, number> = {};
    for (const act of ACTS) Object.assign(sample, await this.#act(act, { writer, concert, concurrency, count }));
    return sample;
  }

  async #act(act: Act, burst: Burst): Promise<Sample> {
    const before = await commitsOf(this.em);
    const spent = () => ({ database: cpuUsOf(this.world.database.pid), redis: cpuUsOf(this.world.redis.pid) });
    const spentBefore = spent();
    const { seconds, cpuUs, p95Ms, errors } = await order<Burst & { act: Act }, Outcome>(this.driverUrl, { ...burst, act });
    for (const error of errors) this.errors.add(`${burst.writer} ${act}: ${error}`);
    const spentAfter = spent();
    const after = await commitsOf(this.em);
    const each = (value: number): number => value / burst.count;
    return {
      [`${act} per second`]: burst.count / seconds,
      [`${act} node µs`]: each(cpuUs),
      [`${act} database µs`]: each(spentAfter.database - spentBefore.database),
      [`${act} redis µs`]: each(spentAfter.redis - spentBefore.redis),
      [`${act} p95 ms`]: p95Ms,
      [`${act} commits`]: each(after.commits - before.commits),
      [`${act} flushes`]: each(after.flushes - before.flushes),
    };
  }
}

const FIGURES = ['per second', 'node µs', 'database µs', 'redis µs', 'p95 ms', 'commits', 'flushes'];

function report(run: BenchRun, concurrency: number, rounds: Rounds): void {
  const rows = ACTS.flatMap((act) => [...rounds.keys()].map((side) => [`${act}, ${side}`, ...FIGURES.map((figure) => medianOf(metricOf(rounds, side, `${act} ${figure}`)))]));
  run.table({ title: `${concurrency} at once, through the services`, columns: ['', ...FIGURES], rows, note: 'Processor time, commits and redo flushes are for each request; medians.' });
  const wanted = WANTED.get(concurrency);
  if (!wanted) return;
  for (const act of ACTS) {
    run.compare(`${act}, ${concurrency} at once: rate to that of raw statements`, rounds, { of: 'frontrow', to: 'raw', metric: `${act} per second`, better: 'higher', wanted });
  }
}
