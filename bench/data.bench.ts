import { createConnection, type Connection } from 'mysql2/promise';
import { connectDatabase } from '../src/database/orm.config.js';
import { migrate } from '../src/database/migrate.js';
import type { QueueStore } from '../src/redis/queue-store.js';
import type { Bench, BenchRun } from './bench.js';
import { timeCache } from './data/cache.js';
import { fill, type Filled } from './data/fill.js';
import { idOf } from './support/ids.js';
import { fillLine, timeLine } from './data/line.js';
import { HOT_QUERIES, LARGE_DATE } from './data/hot-queries.js';
import { worthOf, type Worth } from './data/indexes.js';
import { interleave } from './support/interleave.js';
import { withCores } from './support/pin.js';
import { medianOf, metricOf } from './support/stats.js';
import type { BenchWorld } from './support/world.js';
import { addConcert } from './support/rows.js';

const FEW_SEATS = 10_000;
const MANY_SEATS = { quick: 100_000, full: 1_000_000 };
/** A date may have so many, at most. */
const LARGE_DATE_SEATS = { quick: 20_000, full: 100_000 };
const FEW_WAITING = 10_000;
const MANY_WAITING = { quick: 100_000, full: 1_000_000 };
const EFFORT = { quick: { rounds: 3, times: 25, roundMs: 50, scans: 1 }, full: { rounds: 7, times: 50, roundMs: 200, scans: 5 } };
const SEATS_PER_USER = 10;
const GROWTH_MAX = 1.5;
const FEW = 'few';

/** The rows, with their indexes, in memory: what is measured is the way to a row, not the disk. */
const FLAGS = ['--innodb-buffer-pool-size=1G'];

export const data: Bench = {
  name: 'data',
  asks: 'hot queries with and without their indexes as rows grow, the queue in Redis, cache hits and misses',
  async run(run) {
    const world = await run.world({ database: { flags: FLAGS } });
    const many = run.sized(MANY_SEATS);
    const [fewRows, manyRows] = [await connectionOf(run, world, FEW), await connectionOf(run, world, 'frontrow')];
    const { size, lines } = await run.part(`${many.toLocaleString('en')} seats, queues`, () => withCores('both', world.database, () => arrange(run, world, fewRows, manyRows)));
    const found = await run.part('hot queries', async () => {
      const worths: Worth[] = [];
      for (const query of HOT_QUERIES) {
        run.signal.throwIfAborted();
        worths.push(await worthOf(query, world.app.orm, fewRows, manyRows, run.sized(EFFORT)));
      }
      return worths;
    });
    reportRows(run, found, `${size.seats.toLocaleString('en')} seats, ${size.reservations.toLocaleString('en')} reservations`);
    await run.part('queues', () => timeQueues(run, lines));
    await run.part('cache', () => timeCache(run, world, manyRows));
  },
};

/** The database writes rows while Redis and this process make the queues. */
async function arrange(run: BenchRun, world: BenchWorld, fewRows: Connection, manyRows: Connection): Promise<{ size: Filled; lines: Line[] }> {
  const [orm, many] = [await connectDatabase({ socketPath: world.database.socket, name: FEW }, { poolMax: 2 }), run.sized(MANY_SEATS)];
  run.closing(() => orm.close());
  await migrate(orm);
  let lines: Line[] = [];
  const [size] = await Promise.all([
    fill(manyRows, many, many / SEATS_PER_USER, async () => (lines = await fillLines(run, world))),
    fill(fewRows, FEW_SEATS, FEW_SEATS / SEATS_PER_USER),
  ]);
  for (const { em } of [orm, world.app.orm]) await addConcert(em.fork(), LARGE_DATE, run.sized(LARGE_DATE_SEATS), 0);
  return { size, lines };
}

interface Line {
  length: number;
  concertId: string;
  store: QueueStore;
}

function fillLines(run: BenchRun, { app }: BenchWorld): Promise<Line[]> {
  const lengths = [FEW_WAITING, run.sized(MANY_WAITING)];
  return Promise.all(lengths.map(async (length, index) => ({ length, concertId: idOf('concert', index + 1), store: await fillLine(app, idOf('concert', index + 1), length) })));
}

async function timeQueues(run: BenchRun, lines: readonly Line[]): Promise<void> {
  const named = (length: number): string => `${length.toLocaleString('en')} waiting`;
  const sides = lines.map(({ length, concertId, store }) => ({ name: named(length), measure: () => timeLine(store, concertId, length) }));
  const rounds = await interleave(run, 'queues', sides, run.sized({ quick: 3, full: 9 }));
  run.table({
    title: 'Queues in Redis, one script after the other',
    columns: ['', 'a rank, ms', 'to propose 500 and admit 20, ms'],
    rows: sides.map(({ name }) => [name, ...['rankMs', 'admitMs'].map((metric) => medianOf(metricOf(rounds, name, metric)))]),
  });
  for (const [metric, name] of [['rankMs', 'a rank'], ['admitMs', 'an admission']] as const) {
    const [few, many] = sides;
    run.compare(`${name} among ${many!.name} by one among ${few!.name}`, rounds, { of: few!.name, to: many!.name, metric, better: 'lower', wanted: { atMost: GROWTH_MAX } });
  }
}

async function connectionOf(run: BenchRun, world: BenchWorld, database: string): Promise<Connection> {
  await world.app.orm.em.getConnection().execute(`create database if not exists ${database}`);
  const connection = await createConnection({ socketPath: world.database.socket, user: 'root', database });
  run.closing(() => connection.end());
  return connection;
}

function reportRows(run: BenchRun, found: readonly Worth[], size: string): void {
  run.table({
    title: `Hot queries among ${size}`,
    columns: ['query', 'index', 'without it', 'with it', 'ms without any', 'ms without it', 'ms with it', 'without any / with', 'published', 'growth'],
    rows: found.map(({ query, ms, withoutItMs, withoutAnyMs, plan, planWithoutIt, growth }) => [
      query.name, `${query.table}.${query.index}`, planWithoutIt, plan, withoutAnyMs, withoutItMs, ms, withoutAnyMs / ms, query.published?.join(' → ') ?? '', growth.median,
    ]),
    note: `The statements are those the product sends. A large date has ${run.sized(LARGE_DATE_SEATS).toLocaleString('en')} seats. Growth is the time among so many rows by that among ${FEW_SEATS.toLocaleString('en')} seats. Published figures are of another system with other tables.`,
  });
  const worst = found.toSorted((one, other) => other.growth.median - one.growth.median)[0]!;
  const { median, min, max } = worst.growth;
  run.gate({ name: `hot queries stay flat; the one that grows most, ${worst.query.name}`, value: median, min, max, atMost: GROWTH_MAX, unit: '×' });
}
