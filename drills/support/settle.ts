import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import { checkInvariants } from '../../src/database/check-invariants.js';
import { jobCatalogue } from '../../src/redis/jobs.js';
import { keys } from '../../src/redis/keys.js';
import { CannotTell, type DrillRun } from '../drill.js';
import type { DrillBuyer, KeptMe } from './buyer.js';
import { readFinalState, type FinalState } from './final-state.js';
import { checkSale, type SaleRules, type Violation } from './model.js';
import type { World } from './world.js';

/** The end of a drill: the system comes to rest, the final reads are made, and everything is judged. */

export interface SettleOptions {
  /** How long it may take from the moment that nothing is broken any more. */
  withinMs?: number;
}

const SETTLED_WITHIN_MS = 30_000;
const ASK_EVERY_MS = 100;
const FINAL_READ_ATTEMPTS = 5;
const FINAL_READS_AT_ONCE = 20;

/** Waits until no hold is live, no event waits to be published and no job is at work. Being too slow is a violation: things heal by themselves. */
export async function settle(run: DrillRun, world: World, { withinMs = SETTLED_WITHIN_MS }: SettleOptions = {}): Promise<void> {
  const startedAt = performance.now();
  const endsAt = startedAt + withinMs + (await longestHoldMs(world));
  let left: string[] = [];
  while (performance.now() < endsAt) {
    left = await unsettled(world).catch((error: unknown) => [`no answer: ${String(error)}`]);
    if (left.length === 0) return run.figure('settled after, s', Number(((performance.now() - startedAt) / 1000).toFixed(1)));
    await delay(ASK_EVERY_MS, undefined, { signal: run.signal });
  }
  run.expect(false, `the system did not come to rest within ${withinMs} ms: ${left.join(', ')}`);
}

async function longestHoldMs(world: World): Promise<number> {
  const rows = await world.app.transactions.fork().execute<{ ms: number | null }[]>(
    "select max(timestampdiff(microsecond, sysdate(3), expires_at)) div 1000 as ms from reservation where status = 'HELD'",
  );
  return Math.max(0, Number(rows[0]?.ms ?? 0));
}

async function unsettled({ app }: World): Promise<string[]> {
  const [row] = await app.transactions.fork().execute<Record<string, number>[]>(
    `select (select count(*) from reservation where status = 'HELD') as holds, (select count(*) from outbox_event where published_at is null) as events,
      (select count(*) from webhook_delivery d join webhook w on w.id = d.webhook_id where d.state = 'PENDING' and w.enabled) as deliveries`,
  );
  const counts: [string, number][] = Object.entries(row!).map(([name, count]) => [name, Number(count)]);
  for (const name of Object.keys(jobCatalogue)) {
    const [waiting, active] = await Promise.all([app.redis.llen(`${keys.jobs()}:${name}:wait`), app.redis.llen(`${keys.jobs()}:${name}:active`)]);
    // The beats come and go; what they look after is counted above.
    if (!BEATS.has(name)) counts.push([`${name} jobs`, waiting + active]);
  }
  return counts.filter(([, count]) => count > 0).map(([name, count]) => `${count} ${name}`);
}

const BEATS = new Set(['admission', 'sweep', 'relay']);

/** The final reads through the API of these buyers, each until it is answered. One that is not makes the verdict UNKNOWN. */
async function readThroughApi(run: DrillRun, buyers: readonly DrillBuyer[]): Promise<Map<string, KeptMe>> {
  const shown = new Map<string, KeptMe>();
  const limit = pLimit(FINAL_READS_AT_ONCE);
  await Promise.all(
    buyers.map((buyer) =>
      // A few at a time: what is asked is what is there, not how much the system takes.
      limit(async () => {
        const reply = await buyer.client.untilKnown((via) => buyer.me(via));
        if (reply.outcome !== 'ok') throw new CannotTell(`The final read of user ${buyer.id} was answered ${reply.code}.`);
        shown.set(buyer.id, reply.operation.value as KeptMe);
      }),
    ),
  );
  run.figure('accounts read at the end', shown.size);
  return shown;
}

async function readRows(world: World): Promise<FinalState> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await readFinalState(world.app);
    } catch (error) {
      if (attempt === FINAL_READ_ATTEMPTS) throw new CannotTell('The final reads of the database failed.', { cause: error });
    }
  }
}

/** What the API shows at the end is what the rows say. */
export function compareShown(shown: ReadonlyMap<string, KeptMe>, { balances, reservations, payments }: FinalState): Violation[] {
  const statuses = new Map<string, string>([...reservations, ...payments].map(({ id, status }) => [id, status]));
  const of = { reservations: Map.groupBy(reservations, ({ userId }) => userId), payments: Map.groupBy(payments, ({ userId }) => userId) };
  return [...shown].flatMap(([userId, me]): Violation[] => {
    const wrong = [...me.reservations, ...me.payments].filter(({ id, status }) => statuses.get(id) !== status).map(({ id, status }) => `${id} as ${status}, which is ${statuses.get(id) ?? 'not there'}`);
    for (const what of ['reservations', 'payments'] as const) {
      const [is, should] = [new Set(me[what].map(({ id }) => id)).size, Math.min(PAGE_MAX, of[what].get(userId)?.length ?? 0)];
      if (is !== should) wrong.push(`${is} ${what}, ${should - is} too few`);
    }
    if (me.balance !== balances.get(userId)) wrong.push(`a balance of ${me.balance}, which is ${balances.get(userId)}`);
    return wrong.map((what) => ({ kind: 'api-differs', what: `user ${userId} is shown ${what}`, operations: [] }));
  });
}

const PAGE_MAX = 100;

export async function violatedInvariants(world: World, settled: boolean): Promise<Violation[]> {
  const findings = await checkInvariants(world.app.orm, { ...world.app.config, settled });
  return findings.filter(({ count }) => count > 0).map(({ name, says, count, rows }) => ({ kind: `invariant ${name}`, what: `not true: ${says}; rows: ${count}, such as ${JSON.stringify(rows[0])}`, operations: [] }));
}

export interface JudgeOptions extends SettleOptions {
  /** Whose accounts are read through the API: those with anything to lose. */
  buyers: readonly DrillBuyer[];
  rules?: Partial<SaleRules>;
}

/** Settles, reads, and judges a sale: the history against the model, the API against the rows, the rows against the invariants. */
export async function judgeSale(run: DrillRun, world: World, { buyers, rules = {}, ...options }: JudgeOptions): Promise<FinalState> {
  await settle(run, world, options);
  const final = await readRows(world);
  const shown = await readThroughApi(run, buyers);
  run.violations(checkSale(run.history, final, { seatsPerUserMax: world.app.config.seatsPerUserMax, ...rules }));
  run.violations(compareShown(shown, final));
  run.violations(await violatedInvariants(world, true));
  return final;
}
