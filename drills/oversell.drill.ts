import { WatchQueuePositionDocument } from '../test/graphql/operations.js';
import { Concert } from '../src/database/entities/concert.entity.js';
import type { Drill, DrillRun } from './drill.js';
import { expectAnswersInTime } from './support/answer-times.js';
import { DrillBuyer } from './support/buyer.js';
import { DrillClient } from './support/client.js';
import { Crowd, USUAL_HABITS, type Habits, type Show } from './support/crowd.js';
import { killInTurn, type Kills } from './support/killer.js';
import { judgeSale } from './support/settle.js';
import { watch } from './support/subscription.js';
import { decidedOf } from './support/trials.js';
import type { World } from './support/world.js';

const SIZES = {
  full: { users: 10_000, seats: 50, apis: 4, workers: 2, atOnce: 100, sockets: 100, holdTtlMs: 4000, kills: { count: 20, everyMs: 3000, deadMaxMs: 500, aliveMin: 1 } },
  small: { users: 120, seats: 8, apis: 2, workers: 1, atOnce: 40, sockets: 4, holdTtlMs: 1000, kills: { count: 2, everyMs: 500, deadMaxMs: 100, aliveMin: 1 } },
} satisfies Record<DrillRun['scale'], { kills: Kills; [size: string]: number | Kills }>;
type Sizes = (typeof SIZES)[DrillRun['scale']];

const PRICE = 10_000;
const SOLD_OUT_WITHIN_MS = 60_000;

export const oversell: Drill = {
  name: 'oversell',
  proves: 'a crowd on few seats, also while processes are killed: no seat is sold twice, no acknowledged result is lost, nobody is charged without a seat, every seat is sold in the end',
  run: async (run) => {
    const sizes = run.sized<Sizes>(SIZES);
    const world = await run.part('start', () => run.world({ apis: sizes.apis, workers: sizes.workers, env: environmentOf(sizes) }));
    const client = new DrillClient({ history: run.history, targets: world.apis, random: run.random.fork('client'), signal: run.signal, concurrencyMax: sizes.atOnce });
    run.closing(() => client.close());
    const buyers = await run.part('accounts', async () => (await world.build.buyers(sizes.users)).map((account) => new DrillBuyer(client, account)));
    const stage = { run, world, client, buyers, sizes };
    await onSale(stage, 'the crowd', USUAL_HABITS, async () => undefined);
    let kills = 0;
    await onSale(stage, 'the crowd while processes die', { ...USUAL_HABITS, refunds: 0.95 }, async () => void (kills = await killInTurn(run, world.nodes, sizes.kills)));
    run.figure('kills', kills);
    await run.part('judgement', () => judge(stage));
  },
};

interface Stage {
  run: DrillRun;
  world: World;
  client: DrillClient;
  buyers: DrillBuyer[];
  sizes: Sizes;
}

/** Everybody is admitted as fast as it goes, so that all of them are on the seats at the same time. */
const environmentOf = ({ users, holdTtlMs }: Sizes): Record<string, string> => ({
  HOLD_TTL_MS: String(holdTtlMs), SWEEP_INTERVAL_MS: '1000', ACCESS_TOKEN_TTL_MS: '7200000',
  QUEUE_ADMIT_COUNT: String(users), QUEUE_ADMIT_INTERVAL_MS: '200', QUEUE_ACTIVE_MAX: String(2 * users), QUEUE_TICK_MS: '100', QUEUE_PASS_ATTEMPTS_MAX: '1000000',
});

/** One concert from the first in line to the last seat, with a fault that goes on beside it. */
async function onSale({ run, world, client, buyers, sizes }: Stage, name: string, habits: Habits, fault: () => Promise<void>): Promise<void> {
  const concert = await world.build.concert({ seats: sizes.seats, price: PRICE });
  const show: Show = { ...concert, seats: sizes.seats, price: PRICE };
  const crowd = new Crowd(run, name, client, buyers, show, habits);
  await world.app.transactions.fork().nativeUpdate(Concert, { id: show.id }, { queueActiveMax: 0 });
  await run.part(`${name}: joins`, () => crowd.joinAll());
  const watched = watchersOf(world, show, run.random.fork(name).sample(buyers, sizes.sockets));
  await run.part(`${name}: buys`, async () => {
    await world.app.transactions.fork().nativeUpdate(Concert, { id: show.id }, { queueActiveMax: null });
    let over = false;
    const faults = fault().finally(() => (over = true));
    await Promise.all([faults, crowd.visits(sizes.atOnce, () => over)]);
  });
  const sold = await run.part(`${name}: the last seats`, () => crowd.sellOut(() => soldOf(world, show), SOLD_OUT_WITHIN_MS));
  run.figure(`${name}: seats sold`, sold);
  run.figure(`${name}: payments acknowledged`, crowd.payments);
  run.expect(sold === sizes.seats, `every seat is sold in the end: ${sold} of ${sizes.seats}`);
  await run.part(`${name}: everybody who watched was told`, () => Promise.all(watched.map((told) => told(run))));
}

/** People who watch their place over a socket, whatever process dies: each hears that it was admitted, or how it ended. */
function watchersOf({ apis }: World, { id: concertId }: Show, buyers: readonly DrillBuyer[]): ((run: DrillRun) => Promise<void>)[] {
  return buyers.map((buyer, index) => {
    const targets = [...apis.slice(index % apis.length), ...apis.slice(0, index % apis.length)];
    const watched = watch({ targets, document: WatchQueuePositionDocument, variables: { concertId }, credentials: { accessToken: buyer.account.accessToken } });
    return async (run) => {
      run.closing(() => watched.stop());
      const heard = await watched.until(({ queuePosition }) => queuePosition.status !== 'WAITING').catch((error: unknown) => error);
      run.expect(!(heard instanceof Error), `user ${buyer.id}, who watched the queue, was told of the admission: ${String(heard)}`);
      await watched.stop();
    };
  });
}

async function soldOf({ app }: World, { scheduleId }: Show): Promise<number> {
  const [row] = await app.transactions.fork().execute<{ sold: number }[]>("select count(*) as sold from seat where schedule_id = ? and status = 'SOLD'", [scheduleId]);
  return Number(row!.sold);
}

async function judge({ run, world, buyers }: Stage): Promise<void> {
  const risky = new Set(run.history.operations.filter(({ name, outcome }) => ['reserve', 'charge', 'pay'].includes(name) && outcome !== 'fail').map(({ process }) => process));
  const final = await judgeSale(run, world, { buyers: buyers.filter(({ id }) => risky.has(id)) });
  run.figure('trials', decidedOf(run.history.operations, ['reserve']));
  run.figure('reservations', final.reservations.length);
  run.figure('payments', final.payments.length);
  expectAnswersInTime(run);
}
