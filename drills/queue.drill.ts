import { setTimeout as delay } from 'node:timers/promises';
import { Concert } from '../src/database/entities/concert.entity.js';
import { keys } from '../src/redis/keys.js';
import type { BuiltConcert } from '../test/support/builder.js';
import type { Drill, DrillRun } from './drill.js';
import { expectAnswersInTime } from './support/answer-times.js';
import { DrillBuyer } from './support/buyer.js';
import { DrillClient } from './support/client.js';
import { killInTurn, type Kills } from './support/killer.js';
import { QueueFlood } from './support/queue-flood.js';
import { checkMovingLine, checkPlaces, maximumAt, readLine, type LineEvent, type LineRules, type Maximum } from './support/queue-model.js';
import { QueuePeople, type PeopleSizes } from './support/queue-people.js';
import { judgeSale } from './support/settle.js';
import { negativeControl } from './support/sub-run.js';
import type { World } from './support/world.js';

/** A long line that moves, people who come, go and return, processes that die, and a flood of others who try to get past it. */

interface Sizes {
  apis: number;
  workers: number;
  people: number;
  flood: number;
  floodAtOnce: number;
  intruders: number;
  admitCount: number;
  admitIntervalMs: number;
  activeMax: number;
  /** In force from the first moment to the second, in milliseconds since the line moves; judged from five seconds after the first. */
  lowered: { activeMax: number; from: number; to: number };
  passTtlMs: number;
  absenceGraceMs: number;
  habits: PeopleSizes;
  kills: Kills | null;
  killsMin: number;
  withinMs: number;
}

const SIZES: Record<DrillRun['scale'], Sizes> = {
  full: {
    apis: 3, workers: 2, people: 10_000, flood: 100_000, floodAtOnce: 24, intruders: 100,
    admitCount: 100, admitIntervalMs: 1000, activeMax: 800, lowered: { activeMax: 300, from: 15_000, to: 35_000 }, passTtlMs: 8000, absenceGraceMs: 60_000,
    habits: { watchers: 300, joinsAtOnce: 40, lookEveryMs: 25_000, lookNearMs: 2500, perSecond: 90, leaveWithinMs: 20_000, endToldWithinMs: 40_000 },
    kills: { count: Infinity, everyMs: 9000, deadMaxMs: 500, aliveMin: 1 }, killsMin: 5, withinMs: 900_000,
  },
  small: {
    apis: 2, workers: 1, people: 200, flood: 2000, floodAtOnce: 12, intruders: 10,
    admitCount: 15, admitIntervalMs: 250, activeMax: 60, lowered: { activeMax: 12, from: 500, to: 6500 }, passTtlMs: 1500, absenceGraceMs: 20_000,
    habits: { watchers: 10, joinsAtOnce: 20, lookEveryMs: 1500, lookNearMs: 600, perSecond: 50, leaveWithinMs: 1000, endToldWithinMs: 20_000 },
    kills: { count: 2, everyMs: 800, deadMaxMs: 100, aliveMin: 1 }, killsMin: 0, withinMs: 60_000,
  },
};

const GUARD_OFF = {
  name: 'places that come from a clock',
  edits: [{ file: 'redis/scripts/queue-join.lua', find: "redis.call('HINCRBY', state, 'sequence', #newcomers)", replace: 'math.floor(now / 1000)' }],
  kinds: ['line-order', 'invariant place-of-epoch'],
};

const environmentOf = ({ admitCount, admitIntervalMs, activeMax, passTtlMs, absenceGraceMs }: Sizes): Record<string, string> => ({
  QUEUE_ADMIT_COUNT: String(admitCount), QUEUE_ADMIT_INTERVAL_MS: String(admitIntervalMs), QUEUE_ACTIVE_MAX: String(activeMax), QUEUE_PASS_TTL_MS: String(passTtlMs),
  QUEUE_ABSENCE_GRACE_MS: String(absenceGraceMs), QUEUE_TICK_MS: '100', HOLD_TTL_MS: '20000', SWEEP_INTERVAL_MS: '1000', ACCESS_TOKEN_TTL_MS: '7200000',
});

const PRICE = 10_000;
const PROGRESS_EVERY_MS = 10_000;

export const queue: Drill = {
  name: 'queue',
  proves:
    'a line of people who come, leave and return while processes die and others try every door: each has one place, in the order of coming, and is admitted once, in that order, within rate and maximum; nobody loses a place; nobody uninvited gets in',
  async run(run) {
    const sizes = run.sized(SIZES);
    await drillLine(run, sizes);
    if (run.scale === 'full') await controlQueue(run);
  },
};

/** What the drill finds with the guard off. */
export const controlQueue = (run: DrillRun): Promise<void> => {
  const { small } = SIZES;
  return negativeControl(run, GUARD_OFF, (control) => drillLine(control, { ...small, apis: 1, people: 60, flood: 60, kills: null, withinMs: 20_000, habits: { ...small.habits, watchers: 1 } }));
};

interface Stage {
  run: DrillRun;
  world: World;
  sizes: Sizes;
  open: BuiltConcert;
  shut: BuiltConcert;
}

async function drillLine(run: DrillRun, sizes: Sizes): Promise<void> {
  const world = await run.part('start', () => run.world({ apis: sizes.apis, workers: sizes.workers, env: environmentOf(sizes) }));
  const clientOf = (name: string): DrillClient => {
    const client = new DrillClient({ history: run.history, targets: world.apis, random: run.random.fork(name), signal: run.signal });
    run.closing(() => client.close());
    return client;
  };
  const [ofLine, ofFlood] = [clientOf('line'), clientOf('flood')];
  const accounts = await run.part('accounts', () => world.build.buyers(sizes.people, { balance: PRICE }));
  const intruders = (await world.build.buyers(sizes.intruders, { balance: PRICE })).map((account) => new DrillBuyer(ofFlood, account));
  const [open, shut] = [await world.build.concert({ seats: sizes.people, price: PRICE }), await world.build.concert({ seats: 10, price: PRICE })];
  await world.app.transactions.fork().nativeUpdate(Concert, { id: [open.id, shut.id] }, { queueActiveMax: 0 });
  const stage: Stage = { run, world, sizes, open, shut };
  const people = new QueuePeople(run, world, ofLine, open, sizes.habits);
  const flood = await run.part('intruders', () => QueueFlood.open(run, ofFlood, { open, shut }, people, intruders));
  const maxima = await run.part('the line', () => moving(stage, people, flood, accounts.map((account) => new DrillBuyer(ofLine, account))));
  await run.part('judgement', () => judge(stage, people, flood, maxima));
}

/** Everybody goes through the line while the rest happens to it. */
async function moving({ run, world, sizes, open }: Stage, people: QueuePeople, flood: QueueFlood, members: DrillBuyer[]): Promise<Maximum[]> {
  let over = false;
  const maxima: Maximum[] = [{ since: 0, activeMax: 0 }];
  const end = new AbortController();
  const until = AbortSignal.any([run.signal, end.signal]);
  const setMaximum = async (activeMax: number, afterMs: number): Promise<void> => {
    await delay(afterMs, undefined, { signal: until });
    maxima.push({ since: Date.now(), activeMax });
    await world.app.services.queue.setPolicy(open.id, { activeMax });
    run.say(`at most ${activeMax} may be active`);
  };
  const { from, to, activeMax } = sizes.lowered;
  // A line of some length first, however fast the machine is.
  const policies = people.halfHere
    .then(() => setMaximum(sizes.activeMax, 0))
    .then(() => setMaximum(activeMax, from))
    .then(() => setMaximum(sizes.activeMax, to - from))
    .catch((error: unknown) => run.expect(until.aborted, `the maximum could be changed: ${String(error)}`));
  const everybody = Promise.all([people.all(members), flood.pour(sizes.flood, sizes.floodAtOnce)]).then(() => 'done' as const).finally(() => (over = true));
  const late = delay(sizes.withinMs, 'late' as const, { signal: until });
  late.catch(() => undefined);
  const kills = sizes.kills ? killInTurn(run, world.nodes, { ...sizes.kills, over: () => over }) : Promise.resolve(0);
  kills.catch(() => undefined);
  const progress = setInterval(() => run.say(`${people.arrived.length} in line or through, ${people.through} of them through; ${flood.answered} of the flood`), PROGRESS_EVERY_MS);
  const startedAt = performance.now();
  const outcome = await Promise.race([everybody, late]).finally(() => clearInterval(progress));
  over = true;
  end.abort();
  await policies;
  run.expect(outcome === 'done', `everybody is through the line within ${sizes.withinMs / 1000} s: ${people.arrived.length} joined, ${people.through} are through, ${flood.answered} of the flood were answered`);
  run.figure('seconds from the first join to the last pass', Math.round((performance.now() - startedAt) / 1000));
  const killed = await kills;
  run.figure('kills', killed);
  run.expect(killed >= sizes.killsMin, `at least ${sizes.killsMin} processes are killed: ${killed}`);
  return maxima;
}

async function judge({ run, world, sizes, open, shut }: Stage, people: QueuePeople, flood: QueueFlood, maxima: Maximum[]): Promise<void> {
  await judgeSale(run, world, { buyers: [...people.buyers] });
  const events = await settledLine(run, world, open.id);
  const elsewhere = await settledLine(run, world, shut.id);
  const { admitCount, admitIntervalMs, passTtlMs } = sizes;
  const rules: LineRules = { admitCount, admitIntervalMs, passTtlMs, maxima };
  run.violations(checkMovingLine(run.history, open.id, events, rules));
  const underLowered = events.filter(({ type, at }) => type === 'QUEUE_ADMITTED' && maximumAt(maxima, at) === sizes.lowered.activeMax).length;
  run.figure('admissions judged by the lowered maximum', underLowered);
  run.expect(underLowered > 0, 'some are admitted while only the lowered maximum may be in force');
  run.violations(checkPlaces(elsewhere).filter(({ kind }) => kind !== 'never-admitted'));
  run.expect(elsewhere.length === sizes.intruders, `where nobody is admitted ${sizes.intruders} got one place each, however often they joined: ${elsewhere.length}`);
  flood.judgePeeks(events);
  figures(run, events, people, flood);
  expectAnswersInTime(run);
}

/** The events of a line, once all of them are published. */
async function settledLine(run: DrillRun, { app }: World, concertId: string): Promise<LineEvent[]> {
  const endsAt = performance.now() + SETTLED_WITHIN_MS;
  while ((await app.redis.xlen(keys.queueEvents(concertId))) > 0) {
    if (performance.now() > endsAt) run.expect(false, `the events of a queue are published within ${SETTLED_WITHIN_MS} ms`);
    if (performance.now() > endsAt) break;
    await delay(ASK_EVERY_MS, undefined, { signal: run.signal });
  }
  return readLine(app, concertId);
}

const SETTLED_WITHIN_MS = 20_000;
const ASK_EVERY_MS = 100;

function figures(run: DrillRun, events: readonly LineEvent[], people: QueuePeople, flood: QueueFlood): void {
  const count = (type: LineEvent['type']): number => events.filter((event) => event.type === type).length;
  run.figure('joins of distinct users', people.arrived.length);
  run.figure('left and returned', people.returned);
  run.figure('places given', count('QUEUE_JOINED'));
  run.figure('admitted in order', count('QUEUE_ADMITTED'));
  run.figure('passes paid, given back or run out', `${count('QUEUE_COMPLETED')}, ${count('QUEUE_LEFT') - people.returned}, ${count('QUEUE_EXPIRED')}`);
  run.figure('people who watched', people.watched);
  run.figure('positions they were told', people.positionsTold);
  run.figure('calls of the flood', flood.answered);
  run.figure('calls of the flood by kind', Object.entries(flood.counts).map(([kind, calls]) => `${kind} ${calls}`).join(', '));
  run.figure('trials', people.arrived.length + people.returned + flood.answered);
}
