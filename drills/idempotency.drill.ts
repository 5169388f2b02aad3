import { Concert } from '../src/database/entities/concert.entity.js';
import { keys } from '../src/redis/keys.js';
import type { BuiltConcert } from '../test/support/builder.js';
import type { Drill, DrillRun } from './drill.js';
import { DrillBuyer, type KeptCharge } from './support/buyer.js';
import { DrillClient } from './support/client.js';
import type { FinalState } from './support/final-state.js';
import { killInTurn, type Kills } from './support/killer.js';
import { charging, contesting, joining, paying, refunding, repeatAll, reserving, type Receivers, type Repeated, type Repeats } from './support/repeats.js';
import { judgeSale } from './support/settle.js';
import { negativeControl } from './support/sub-run.js';
import type { World } from './support/world.js';

/** What is asked for again and again, of processes that die, is done once and told the same each time. */

interface Sizes {
  chargers: number;
  chargesEach: number;
  contested: number;
  /** Each reserves, pays and refunds. */
  holders: number;
  joiners: number;
  repeats: Repeats;
  kills: Kills | null;
  killsMin: number;
}

/** Full: 500 + 100 + 3 × 100 + 100 keys. */
const SIZES: Record<DrillRun['scale'], Sizes> = {
  full: { chargers: 100, chargesEach: 5, contested: 100, holders: 100, joiners: 100, repeats: { sends: 50, together: 5, keys: 20 }, kills: { count: Infinity, everyMs: 6000, deadMaxMs: 500, aliveMin: 2 }, killsMin: 5 },
  small: { chargers: 5, chargesEach: 4, contested: 5, holders: 6, joiners: 6, repeats: { sends: 10, together: 5, keys: 8 }, kills: { count: 2, everyMs: 700, deadMaxMs: 100, aliveMin: 1 }, killsMin: 0 },
};

const ENV = { HOLD_TTL_MS: '3600000', ACCESS_TOKEN_TTL_MS: '7200000', QUEUE_PASS_ATTEMPTS_MAX: '1000000', QUEUE_PASS_TTL_MS: '7200000', QUEUE_ACTIVE_MAX: '100000' };
const PRICE = 1000;
const AMOUNT_MAX = 1_000_000;

const GUARD_OFF = {
  name: 'a charge that does not look for its key',
  edits: [
    { file: 'services/charge.ts', find: 'if (earlier) {', replace: 'if (earlier && !earlier) {' },
    { file: 'database/repositories/sale-writes.repository.ts', find: '[id, userId, idempotencyKey, amount, balance, chargedAt]', replace: '[id, userId, idempotencyKey && id, amount, balance, chargedAt]' },
  ],
  kinds: ['two-results', 'key-reused'],
};

export const idempotency: Drill = {
  name: 'idempotency',
  proves: 'calls that are sent again and again, at once and to processes that die, are done once and told the same each time; a key with another amount is refused',
  async run(run) {
    const sizes = run.sized(SIZES);
    const world = await run.world({ apis: run.sized({ small: 2, full: 4 }), workers: 1, env: ENV });
    await drillRepeats(run, world, sizes);
    if (run.scale === 'full') await controlIdempotency(run);
  },
};

/** What the drill finds with the guard off. */
export const controlIdempotency = (run: DrillRun): Promise<void> =>
  negativeControl(run, GUARD_OFF, async (control) => {
    const world = await control.world({ apis: 1, workers: 1, env: ENV });
    await drillRepeats(control, world, { chargers: 4, chargesEach: 2, contested: 2, holders: 0, joiners: 0, repeats: { sends: 4, together: 2, keys: 4 }, kills: null, killsMin: 0 });
  });

async function drillRepeats(run: DrillRun, world: World, sizes: Sizes): Promise<void> {
  const client = new DrillClient({ history: run.history, targets: world.apis, random: run.random.fork('client'), signal: run.signal });
  run.closing(() => client.close());
  const concert = await world.build.concert({ seats: Math.max(1, sizes.holders * 2), price: PRICE });
  // Admitted they would be at once; a line that stands still keeps places for longer.
  await world.app.transactions.fork().nativeUpdate(Concert, { id: concert.id }, { queueActiveMax: sizes.holders });
  const people = await peopleOf(world, client, concert, sizes);
  let over = false;
  const sending = sendAll(run, { client, nodes: world.apis }, people, concert, sizes).finally(() => (over = true));
  const [killed] = await Promise.all([sizes.kills ? killInTurn(run, world.nodes, { ...sizes.kills, over: () => over }) : 0, sending]);
  const final = await run.part('judging', () => judgeSale(run, world, { buyers: Object.values(people).flat() }));
  await countEffects(run, world, final, concert, sizes);
  report(run, sizes, killed);
}

interface People {
  chargers: DrillBuyer[];
  contesters: DrillBuyer[];
  holders: DrillBuyer[];
  joiners: DrillBuyer[];
}

async function peopleOf({ build }: World, client: DrillClient, { id }: BuiltConcert, { chargers, contested, holders, joiners }: Sizes): Promise<People> {
  const group = async (count: number, balance: number) => (count === 0 ? [] : build.buyers(count, { balance }));
  const drillBuyers = (accounts: Awaited<ReturnType<typeof group>>): DrillBuyer[] => accounts.map((account) => new DrillBuyer(client, account));
  return {
    chargers: drillBuyers(await group(chargers, 0)),
    contesters: drillBuyers(await group(contested, 0)),
    holders: drillBuyers(holders === 0 ? [] : await build.admit(id, await group(holders, 10 * PRICE))),
    joiners: drillBuyers(await group(joiners, 0)),
  };
}

async function sendAll(run: DrillRun, to: Receivers, people: People, concert: BuiltConcert, { chargesEach, repeats }: Sizes): Promise<void> {
  const random = run.random.fork('amounts');
  const amount = (): number => random.between(1, AMOUNT_MAX);
  const send = (name: string, all: readonly Repeated[]): Promise<void> => run.part(name, () => repeatAll(run, to, all, repeats));
  const charges = people.chargers.flatMap((buyer) => Array.from({ length: chargesEach }, (_, index) => ({ buyer, key: `charge ${index}`, ...charging(buyer, `charge ${index}`, amount()) })));
  await run.part('charges', () =>
    repeatAll(run, to, random.shuffle(charges), repeats, async ({ buyer, key, what }, { acknowledged }) => {
      const other = (acknowledged[0]?.value as KeptCharge | undefined)?.amount ?? 0;
      const reply = await to.client.untilKnown((via) => buyer.charge(other + 1, key, via));
      if (reply.outcome !== 'fail' || reply.code !== 'IdempotencyKeyReused') run.violations([{ kind: 'key-reused', what: `${what}: another amount was answered ${reply.outcome}`, operations: [reply.operation] }]);
    }),
  );
  await send('charges of two amounts under one key', people.contesters.map((buyer) => contesting(buyer, 'contested', [amount(), AMOUNT_MAX + amount()])));
  await send('joins', people.joiners.map((buyer) => joining(buyer, concert.id)));
  await send('reserves', people.holders.map((buyer, index) => reserving(buyer, concert.scheduleId, [2 * index + 1, 2 * index + 2])));
  const holds = idsOf(run, 'reserve');
  await send('payments', people.holders.map((buyer) => paying(buyer, holds.get(buyer.id)!)));
  const payments = idsOf(run, 'pay');
  await send('refunds', people.holders.map((buyer) => refunding(buyer, payments.get(buyer.id)!)));
}

/** What was acknowledged to each user. */
const idsOf = (run: DrillRun, name: string): Map<string, string> =>
  new Map(run.history.named(name).filter(({ outcome }) => outcome === 'ok').map(({ process, value }) => [process, (value as { id: string }).id]));

/** One row for each key, and none besides. */
async function countEffects(run: DrillRun, { app }: World, { charges, reservations, payments, ledger }: FinalState, concert: BuiltConcert, sizes: Sizes): Promise<void> {
  const { holders, joiners } = sizes;
  const places = (await app.redis.zcard(keys.queueWaiting(concert.id))) + (await app.redis.zcard(keys.queueActive(concert.id)));
  const expected: [string, number, number][] = [
    ['charges', charges.filter(({ key }) => key !== 'built').length, sizes.chargers * sizes.chargesEach + sizes.contested],
    ['reservations', reservations.length, holders],
    ['payments', payments.length, holders],
    ['refunds', ledger.filter(({ kind }) => kind === 'REFUND').length, holders],
    ['places in the line', places, joiners],
  ];
  for (const [what, is, should] of expected) run.expect(is === should, `there are ${is} ${what} for ${should} keys`);
}

function report(run: DrillRun, { chargers, chargesEach, contested, holders, joiners, repeats, killsMin }: Sizes, kills: number): void {
  const all = run.history.named('charge', 'join', 'reserve', 'pay', 'refund');
  const unknown = all.filter(({ outcome }) => outcome === 'unknown');
  const keysSent = chargers * chargesEach + contested + 3 * holders + joiners;
  run.figure('trials', keysSent);
  run.figure('keys', keysSent);
  run.figure('sends of each', repeats.sends);
  run.figure('sends', all.length);
  run.figure('kills', kills);
  run.expect(kills >= killsMin, `at least ${killsMin} processes are killed: ${kills}`);
  run.figure('sends of unknown outcome, each known in the end', unknown.length);
  if (run.scale === 'full') run.expect(unknown.length > 0, 'the kills must leave some sends unknown');
}
