import { BOUNDARY_ENV, judgeRace, raceAtBoundary, type BoundarySize } from './boundary.drill.js';
import { CannotTell, type Drill, type DrillRun } from './drill.js';
import { plantedEnv } from './inject/environment.js';
import { Bank, type BankSize } from './support/bank.js';
import { DrillClient } from './support/client.js';
import { contest, type ContestSize } from './support/contest.js';
import { tellingEdits } from './support/judgements.js';
import { judgeSale } from './support/settle.js';
import { negativeControl, SubRun } from './support/sub-run.js';
import type { World } from './support/world.js';

/** The same sale under every isolation that a server may be set to: nothing rests on the one that Frontrow asks for. */

type Level = 'READ COMMITTED' | 'REPEATABLE READ';

interface Setting {
  level: Level;
  snapshot: 'ON' | 'OFF';
}

interface Sizes {
  settings: Setting[];
  apis: number;
  contest: ContestSize;
  boundary: BoundarySize;
  bank: BankSize;
}

const ALL: Setting[] = [
  { level: 'READ COMMITTED', snapshot: 'OFF' },
  { level: 'READ COMMITTED', snapshot: 'ON' },
  { level: 'REPEATABLE READ', snapshot: 'OFF' },
  { level: 'REPEATABLE READ', snapshot: 'ON' },
];

const SIZES: Record<DrillRun['scale'], Sizes> = {
  full: {
    settings: ALL, apis: 3, contest: { buyers: 60, seats: 16 }, bank: { wallets: 10, rounds: 25, atOnce: 4 },
    boundary: { counts: 'aimed', besideWorkers: 500, alone: 0, lanes: 24, buyers: 600, withinMs: 200_000 },
  },
  small: {
    settings: [{ level: 'REPEATABLE READ', snapshot: 'ON' }], apis: 2, contest: { buyers: 30, seats: 6 }, bank: { wallets: 4, rounds: 3, atOnce: 3 },
    boundary: { counts: 'aimed', besideWorkers: 60, alone: 0, lanes: 16, buyers: 120, withinMs: 60_000 },
  },
};

/** Long enough to reserve several seats and pay for them on a busy machine. */
const ENV = { ...BOUNDARY_ENV, HOLD_TTL_MS: '800', SEATS_PER_USER_MAX: '100' };
const SETTLED_WITHIN_MS = 60_000;

/** The session's own setting is the only place where Frontrow names a level. */
const REPEATABLE_READ = {
  file: 'database/orm.config.ts', find: "'set session transaction isolation level read committed'", replace: "'set session transaction isolation level repeatable read'",
};

const GUARD_OFF = {
  name: 'a wallet that is neither locked nor compared with its version',
  edits: [
    { file: 'database/repositories/sale.repository.ts', find: 'where user_id in (?) order by user_id ${FOR_UPDATE(wait)}`', replace: 'where user_id in (?) order by user_id ${wait ? "" : ""}`' },
    { file: 'database/repositories/sale-writes.repository.ts', find: '(user_id = ? and version = ?)', replace: '(user_id = ? and ? is not null)' },
    { file: 'database/repositories/wallet.repository.ts', find: 'em.findOneOrFail(Wallet, { userId }, { lockMode: LockMode.PESSIMISTIC_WRITE })', replace: 'em.findOneOrFail(Wallet, { userId })' },
    { file: 'database/entities/wallet.entity.ts', find: 'p.integer().version()', replace: 'p.integer().default(1)' },
  ],
  kinds: ['bank', 'balance'],
};

export const isolation: Drill = {
  name: 'isolation',
  proves: 'few seats for many, payments at the end of holds, and money between wallets stay right at READ COMMITTED and REPEATABLE READ, with innodb_snapshot_isolation off and on',
  async run(run) {
    const sizes = run.sized(SIZES);
    for (const setting of sizes.settings) await drillSetting(run, setting, sizes);
    run.figure('trials', sizes.settings.length * sizes.boundary.besideWorkers);
    if (run.scale === 'full') await controlIsolation(run);
  },
};

/** What the bank finds with the guard off. */
export const controlIsolation = (run: DrillRun): Promise<void> =>
  negativeControl(run, GUARD_OFF, async (control) => {
    const world = await control.world({ apis: 2, workers: 1, env: ENV });
    const client = clientOf(control, world);
    const bank = new Bank(control, world, client, { wallets: 2, rounds: 3, atOnce: 4 });
    await bank.open();
    await judgeSale(control, world, { buyers: bank.buyers });
  });

async function drillSetting(run: DrillRun, { level, snapshot }: Setting, { apis, contest: contestSize, boundary, bank: bankSize }: Sizes): Promise<void> {
  const name = `${level}, snapshot isolation ${snapshot}`;
  const sub = new SubRun(run, name, run.scale, plantedEnv([...tellingEdits(), ...(level === 'REPEATABLE READ' ? [REPEATABLE_READ] : [])]));
  try {
    const world = await sub.world({ apis, workers: 1, env: ENV, database: { flags: [`--innodb-snapshot-isolation=${snapshot}`] } });
    await assertSnapshotIsolation(world, snapshot);
    const client = clientOf(sub, world);
    const contenders = await sub.part('few seats', () => contest(sub, world, client, contestSize));
    const bank = new Bank(sub, world, client, bankSize);
    await sub.part('bank', () => bank.open());
    // The drill's own writes are at READ COMMITTED, always.
    sub.expect(bank.levels.has(level) && (level === 'REPEATABLE READ' || bank.levels.size === 1), `transactions ran at ${[...bank.levels].join(', ') || 'no level that was seen'}`);
    const raced = await raceAtBoundary(sub, world, boundary);
    const final = await sub.part('judging', () => judgeSale(sub, world, { buyers: [...contenders, ...bank.buyers, ...raced.buyers.slice(0, 100)], withinMs: SETTLED_WITHIN_MS }));
    judgeRace(sub, raced, final);
    report(run, sub, name, bank.reads);
  } finally {
    // Also what was found before it could not go on.
    run.violations(sub.found.map((violation) => ({ ...violation, what: `${name}: ${violation.what}` })));
    await sub.close();
  }
}

function clientOf(run: DrillRun, world: World): DrillClient {
  const client = new DrillClient({ history: run.history, targets: world.apis, random: run.random.fork('client'), signal: run.signal });
  run.closing(() => client.close());
  return client;
}

/** The server must have been started as the drill says. */
async function assertSnapshotIsolation({ app }: World, expected: 'ON' | 'OFF'): Promise<void> {
  const [row] = await app.transactions.fork().execute<{ is: number }[]>('select @@global.innodb_snapshot_isolation as `is`');
  if (Number(row!.is) !== (expected === 'ON' ? 1 : 0)) throw new CannotTell(`innodb_snapshot_isolation is ${row!.is}, and should be ${expected}.`);
}

function report(run: DrillRun, sub: SubRun, name: string, reads: number): void {
  const counts = Object.values(sub.history.counts());
  const sum = (outcome: 'ok' | 'fail' | 'unknown'): number => counts.reduce((total, count) => total + count[outcome], 0);
  const unknown = Object.groupBy(sub.history.operations.filter(({ outcome }) => outcome === 'unknown'), ({ name: call, code }) => `${call} ${code}`);
  const why = Object.entries(unknown).map(([code, calls]) => `, ${code}: ${calls!.length}`);
  run.figure(`${name}: calls`, `${sum('ok')} ok, ${sum('fail')} refused, ${sum('unknown')} unknown at first${why.join('')}`);
  run.figure(`${name}: bank read`, `${reads} snapshots`);
  run.figure(`${name}: payments at the end`, `${sub.figures.get('trials')}, paid ${sub.figures.get('paid, %')} %, over ${sub.figures.get('over, %')} %`);
}
