import { setTimeout as delay } from 'node:timers/promises';
import { jobCatalogue } from '../src/redis/jobs.js';
import { keys } from '../src/redis/keys.js';
import type { Drill, DrillRun } from './drill.js';
import { expectAnswersInTime } from './support/answer-times.js';
import { DrillClient } from './support/client.js';
import type { FinalState } from './support/final-state.js';
import { LineSockets, type SocketSizes } from './support/line-sockets.js';
import { Restarts } from './support/restarts.js';
import { judgeSale } from './support/settle.js';
import { SteadyLoad, type LoadRate } from './support/steady-load.js';
import { SubRun } from './support/sub-run.js';
import type { World } from './support/world.js';

/** A new version is rolled out in the middle of a sale: every process is told to stop and started again, one after the other, while everything goes on. */

interface Sizes extends SocketSizes {
  apis: number;
  workers: number;
  rounds: number;
  load: LoadRate;
  /** Between one restart and the next, after everybody is served again. */
  restMs: number;
}

const SIZES: Record<DrillRun['scale'], Sizes> = {
  full: { apis: 3, workers: 2, rounds: 10, load: { perSecond: 200, buyers: 300, seats: 400 }, sockets: 1000, movesEveryMs: 3000, restMs: 3000 },
  small: { apis: 2, workers: 1, rounds: 1, load: { perSecond: 30, buyers: 30, seats: 60 }, sockets: 30, movesEveryMs: 700, restMs: 0 },
};

const ENV = {
  HOLD_TTL_MS: '4000', SWEEP_INTERVAL_MS: '1000', ACCESS_TOKEN_TTL_MS: '7200000', SEATS_PER_USER_MAX: '100', BALANCE_MAX: '9000000000',
  QUEUE_ADMIT_COUNT: '1000', QUEUE_ADMIT_INTERVAL_MS: '200', QUEUE_ACTIVE_MAX: '100000', QUEUE_TICK_MS: '100', QUEUE_PASS_ATTEMPTS_MAX: '1000000', QUEUE_PASS_TTL_MS: '3600000',
};
const HOLD_ENDED_WITHIN_MS = 10_000;

export const rollingRestart: Drill = {
  name: 'rolling-restart',
  proves:
    'processes are restarted one after the other under load: what is under way is finished, no acknowledged result and no job is lost, clients see nothing but closed connections, sockets are told to come back and are told first where they stand',
  async run(run) {
    await drillRestarts(run, run.sized(SIZES), 'SIGTERM');
    if (run.scale === 'full') await controlRollingRestart(run);
  },
};

/** Processes that are killed instead finish nothing and tell nobody: the drill must find both. */
export async function controlRollingRestart(run: DrillRun): Promise<void> {
  await run.part('control: processes that are killed', async () => {
    const control = new SubRun(run, 'control', 'small');
    try {
      await drillRestarts(control, { ...SIZES.small, sockets: 10 }, 'SIGKILL');
    } finally {
      await control.close();
    }
    const kinds = Object.groupBy(control.found, ({ kind }) => kind);
    run.figure('found with processes that are killed', Object.entries(kinds).map(([kind, all]) => `${all!.length} ${kind}`).join(', ') || 'nothing');
    for (const kind of ['not-finished', 'close-code']) run.expect(kinds[kind] !== undefined, `where processes are killed the drill finds: ${kind}`);
  });
}

async function drillRestarts(run: DrillRun, sizes: Sizes, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const world = await run.part('start', () => run.world({ apis: sizes.apis, workers: sizes.workers, env: ENV }));
  const client = new DrillClient({ history: run.history, targets: world.apis, random: run.random.fork('client'), signal: run.signal });
  run.closing(() => client.close());
  const restarts = await Restarts.open(run, world, client, signal);
  const load = await SteadyLoad.open(run, world, client, sizes.load);
  const sockets = await run.part('sockets', () => LineSockets.open(run, world, client, sizes));
  await load.during(async () => {
    for (let round = 1; round <= sizes.rounds; round += 1) {
      const wellAgain = async (): Promise<void> => {
        await sockets.expectLive(`in round ${round}`);
        await delay(sizes.restMs, undefined, { signal: run.signal });
      };
      await run.part(`round ${round}`, () => restarts.round(signal === 'SIGTERM' ? world.nodes : world.apis, wellAgain));
    }
  });
  await sockets.stop();
  await run.part('judgement', async () => {
    const final = await judgeSale(run, world, { buyers: [...load.buyers, ...restarts.patients] });
    run.violations(restarts.judge(run.history.operations));
    run.violations(sockets.judge((node, from, to) => restarts.during(node, from, to)));
    await expectJobsDone(run, world, final, sizes.workers > 1 ? 0 : restarts.longestOf(world.workers));
  });
  restarts.figures();
  sockets.figures();
  run.figure('requests per second, asked for', sizes.load.perSecond);
  run.figure('requests per second', Number((load.sent / load.seconds).toFixed(1)));
  run.figure('requests that nobody was free to send', load.skipped);
  run.figure('closed connections', run.history.operations.filter(({ outcome }) => outcome === 'unknown').length);
  run.figure('trials', run.history.operations.length);
  expectAnswersInTime(run, { excused: restarts.givenUp });
}

/** None failed, and holds ended in time by themselves, counted from the return of the only worker. */
async function expectJobsDone(run: DrillRun, { app }: World, { reservations }: FinalState, withoutWorkerMs: number): Promise<void> {
  for (const name of Object.keys(jobCatalogue)) {
    const failed = await app.redis.zcard(`${keys.jobs()}:${name}:failed`);
    run.expect(failed === 0, `no ${name} job has failed for good: ${failed}`);
  }
  const lateMs = Math.max(0, ...reservations.filter(({ status }) => status === 'EXPIRED').map(({ expiresAt, updatedAt }) => updatedAt - expiresAt));
  run.figure('longest time from the end of a hold until that was written, ms', lateMs);
  run.expect(lateMs <= HOLD_ENDED_WITHIN_MS + withoutWorkerMs, `a hold that is over is ended within ${HOLD_ENDED_WITHIN_MS} ms: ${lateMs} ms`);
}
