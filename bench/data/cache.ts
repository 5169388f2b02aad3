import type { Connection, RowDataPacket } from 'mysql2/promise';
import { createApp, type App } from '../../src/app.js';
import type { BenchRun } from '../bench.js';
import { medianOf, metricOf } from '../support/stats.js';
import type { BenchWorld } from '../support/world.js';
import { addConcert } from '../support/rows.js';
import { idOf } from '../support/ids.js';

/** What it saves to have read something before, and what happens when everybody reads it for the first time at once. */

const EVERYTHING = { status: null, section: null, first: null, afterNumber: null };
/** Of concerts that are not among the many. */
const FIRST_CONCERT = 20_000;
const [SMALL_SEATS, LARGE_SEATS] = [50, 5000];
const HITS = 50;
const AT_ONCE = 1000;

export async function timeCache(run: BenchRun, world: BenchWorld, server: Connection): Promise<void> {
  const { app } = world;
  const em = app.transactions.fork();
  const rounds = run.sized({ quick: 10, full: 40 });
  let concert = FIRST_CONCERT;
  const newDate = async (seats: number): Promise<string> => {
    await addConcert(em, (concert += 1), seats, 0);
    return idOf('schedule', concert);
  };
  const seatsOf = (scheduleId: string, of: App = app) => of.services.seats.ofSchedule(scheduleId, EVERYTHING);
  await seatsOf(await newDate(SMALL_SEATS));
  const read = {
    [`${SMALL_SEATS} seats`]: async () => timeTwice(await newDate(SMALL_SEATS), seatsOf),
    [`${LARGE_SEATS.toLocaleString('en')} seats`]: async () => timeTwice(await newDate(LARGE_SEATS), seatsOf),
    'a page of concerts': (round: number) => timeTwice(1 + round, (first) => app.services.concerts.page(first, null)),
  };
  const rows: (string | number)[][] = [];
  for (const [name, measure] of Object.entries(read)) {
    const samples = [];
    for (let round = 0; round < rounds; round += 1) samples.push(await measure(round));
    const found = new Map([['hit', samples.map(({ hitMs }) => ({ ms: hitMs }))], ['miss', samples.map(({ missMs }) => ({ ms: missMs }))]]);
    rows.push([name, ...['miss', 'hit'].map((side) => medianOf(metricOf(found, side, 'ms')))]);
    run.compare(`${name}: a hit beside a miss`, found, { of: 'hit', to: 'miss', metric: 'ms', better: 'lower', wanted: { atLeast: 20 } });
  }
  run.table({ title: 'Read for the first time, and again', columns: ['', 'miss, ms', 'hit, ms'], rows, note: 'Through the services of one process. Published elsewhere for a page of a catalogue: 6.48 and 0.33 ms, 19.6 times.' });
  run.expect((await statementsAtOnce(world, server, await newDate(LARGE_SEATS), seatsOf)) === 1, `${AT_ONCE.toLocaleString('en')} misses at once, in two processes, make one statement`);
}

/** Both of one thing that nobody has read before. */
async function timeTwice<T>(what: T, read: (what: T) => Promise<unknown>): Promise<{ missMs: number; hitMs: number }> {
  const startedAt = performance.now();
  await read(what);
  const missMs = performance.now() - startedAt;
  const hitAt = performance.now();
  for (let hit = 0; hit < HITS; hit += 1) await read(what);
  return { missMs, hitMs: (performance.now() - hitAt) / HITS };
}

/** Statements that ask for seats of the date, as the server notes them. */
async function statementsAtOnce(world: BenchWorld, server: Connection, scheduleId: string, read: (scheduleId: string, of: App) => Promise<unknown>): Promise<number> {
  const other = await createApp(world.app.config, world.app.stores, world.app.logger);
  try {
    // Connections and listeners are there before everybody comes.
    await read(idOf('schedule', FIRST_CONCERT + 1), other);
    await server.query("set global log_output = 'TABLE'");
    await server.query('truncate table mysql.general_log');
    await server.query('set global general_log = 1');
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => read(scheduleId, index % 2 ? other : world.app)));
  } finally {
    await server.query('set global general_log = 0');
    await other.close();
  }
  const [rows] = await server.query<RowDataPacket[]>("select count(*) as statements from mysql.general_log where command_type in ('Query', 'Execute') and argument like '%from seat where%' and argument like ?", [`%${scheduleId}%`]);
  return Number(rows[0]!['statements']);
}
