import { ReserveDocument } from '../test/graphql/operations.js';
import type { AdmittedBuyer } from '../test/support/builder.js';
import type { Bench, BenchRun } from './bench.js';
import { requestOf } from './support/http-connection.js';
import { interleave, WARM_UP, type Side } from './support/interleave.js';
import { Load, sampleOf } from './support/load.js';
import { bodyOf } from './support/operations.js';
import { metricOf, spreadOf, type Sample } from './support/stats.js';
import type { BenchWorld } from './support/world.js';

/** Everybody wants the same seat at the same moment. */
export const hotSeat: Bench = { name: 'hot-seat', asks: 'How fast is no, when 2,000 want one seat, and who pays for it?', run: measure };

const RACERS = 2000;
const REFUSAL = 'a refusal';
const TRIVIAL = 'trivial query';
const TRIVIAL_BODY = bodyOf('query Currency { currency }');
const [WON, LOST] = ['"Reservation"', '"SeatsUnavailable"'] as const;
/** Of both, before anything counts: in a first race of 2,000 most of the time goes into compiling. */
const WARM_BURSTS = 3;
/** Of one who reserves alone, several times, as what a winner needs. */
const ALONE = 5;
/** What the process asks for itself once a second: whether the date is as it was, a sign of life. None of it is for a refusal. */
const STATEMENTS_MAX = 2;

async function measure(run: BenchRun): Promise<void> {
  const world = await run.part('stores', () => run.world());
  const rounds = run.sized({ quick: 4, full: 9 });
  const [{ racers, scheduleId }, api, load] = await Promise.all([run.part('racers', () => arrange(world)), world.frontrow('api'), Load.start(world)]);
  const reserve = (racer: AdmittedBuyer, seat: number): string => requestOf(bodyOf(ReserveDocument, { input: { scheduleId, seatNumbers: [seat] } }), racer);
  const burst = (requests: string[], succeeds: string) =>
    load.requests({ port: api.port, connections: requests.length, requests, greeting: requestOf(TRIVIAL_BODY, racers[0]!), succeeds, count: [WON, LOST], pids: [api.pid, world.database.pid, world.redis.pid] });
  const trivial = async (askedBy: readonly AdmittedBuyer[]): Promise<Sample> => {
    const result = await burst(askedBy.map((racer) => requestOf(TRIVIAL_BODY, racer)), '"currency"');
    if (result.errors > 0) throw new Error(`${TRIVIAL}: ${result.errors} errors: ${result.firstErrors.join('\n')}`);
    return sampleOf(result);
  };
  let seat = 0;
  const winnersOf: number[] = [];
  const wrong: string[] = [];
  const statements: number[] = [];
  const warm = (measure: () => Promise<Sample>): Side['measure'] => async (round) => {
    for (let burst = 1; round === WARM_UP && burst < WARM_BURSTS; burst += 1) await measure();
    return measure();
  };
  const sides: Side[] = [
    // First, so that everybody's session is known before the first race.
    { name: TRIVIAL, measure: warm(() => trivial(racers)) },
    {
      name: REFUSAL,
      measure: warm(async () => {
        const before = await statementsOf(world);
        const result = await burst(inTurn(racers, seat).map((racer) => reserve(racer, seat + 1)), '"__typename"');
        statements.push((await statementsOf(world)) - before);
        seat += 1;
        wrong.push(...result.firstErrors);
        winnersOf.push(result.counts[WON]!);
        if (result.counts[LOST]! !== RACERS - 1) wrong.push(JSON.stringify(result.counts));
        return sampleOf(result);
      }),
    },
  ];
  const measured = await interleave(run, 'race', sides, rounds);
  const alone = await run.part('alone', () => statementsAlone(world, api.port, load, reserve, racers, seat));

  run.note(`${RACERS} admitted users, each over a connection of its own, ask for the same seat at once; another seat in each round. The trivial query is asked by the same users over as many connections, in turn.`);
  run.expect(winnersOf.every((winners) => winners === 1), `one racer wins each of ${winnersOf.length} seats (${winnersOf.join(', ')})`);
  run.expect(wrong.length === 0, `all others are told SeatsUnavailable${wrong.length > 0 ? `: ${wrong.slice(0, 3).join(' ')}` : ''}`);
  run.compare("a refusal's p95 by the trivial query's p95", measured, { of: REFUSAL, to: TRIVIAL, metric: 'p95Ms', better: 'higher', wanted: { atMost: 2 } });
  // The first race finds the sessions of all racers not yet known to Redis.
  const ofRefused = statements.slice(1).map((all) => Math.max(0, all - alone));
  run.gate({ name: `database statements of all ${RACERS - 1} refused together`, value: spreadOf(ofRefused).median, min: Math.min(...ofRefused), max: Math.max(...ofRefused), atMost: STATEMENTS_MAX });
  run.table({
    title: 'A race for one seat',
    columns: ['', 'p50 ms', 'p95 ms', 'p99 ms', 'server µs', 'stores µs'],
    rows: sides.map(({ name }) => [name, ...['p50Ms', 'p95Ms', 'p99Ms', 'cpuUs', 'storesUs'].map((metric) => spreadOf(metricOf(measured, name, metric)).median)]),
    note: `A reserve alone takes ${alone} statements; a race of ${RACERS} takes ${spreadOf(statements.slice(1)).median}. The connections are open before the time begins.`,
  });
}

/** Who sends first may win: another one in each race, so that nobody reaches the limit of a user's seats. */
const inTurn = <T>(all: readonly T[], turn: number): T[] => [...all.slice(turn), ...all.slice(0, turn)];

async function arrange({ build }: BenchWorld): Promise<{ racers: AdmittedBuyer[]; scheduleId: string }> {
  const { id, scheduleId } = await build.concert({ seats: 50 });
  return { racers: await build.admit(id, await build.buyers(RACERS)), scheduleId };
}

/** As the database counts them; asking is one. */
async function statementsOf({ app }: BenchWorld): Promise<number> {
  const [row] = await app.orm.em.getConnection().execute<{ Value: string }[]>("show global status like 'Questions'");
  return Number(row!.Value);
}

async function statementsAlone(world: BenchWorld, port: number, load: Load, reserve: (racer: AdmittedBuyer, seat: number) => string, racers: readonly AdmittedBuyer[], seat: number): Promise<number> {
  const counts: number[] = [];
  for (let turn = 0; turn < ALONE; turn += 1) {
    const before = await statementsOf(world);
    // Somebody who has none of the seats yet, so that the limit of a user is far.
    const { errors, firstErrors } = await load.requests({ port, connections: 1, requests: [reserve(racers[RACERS - 1 - turn]!, seat + 1 + turn)], succeeds: WON, pids: [] });
    if (errors > 0) throw new Error(firstErrors.join('\n'));
    counts.push((await statementsOf(world)) - before);
  }
  return spreadOf(counts).median;
}
