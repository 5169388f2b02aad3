import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeRunFolder } from '../scripts/run-folder.js';
import { startOwnStores } from '../src/launcher/own-stores.js';
import { MUTANTS, mutantNamed, type Catcher, type Mutant } from './inject/mutants.js';
import { mutantTable, nameOfCatcher, type Caught } from './support/mutant-table.js';
import { runCatcher, type CatcherStores, type Outcome } from './support/mutant-catchers.js';

/** `npm run mutants`: plants each bug of the list and runs what must catch it. */

/** One of seats, one of money, one of the line: what runs with every change. */
const QUICK = ['status-guard-off', 'no-idempotency-row', 'admission-not-atomic'];
const EXIT_CODES = { caught: 0, escaped: 1, broken: 2 } as const;
type Verdict = keyof typeof EXIT_CODES;
const TABLE = 'docs/mutants.md';
const HEALTHY_TRIES_MAX = 3;

const USAGE = `npm run mutants -- [<name>...] [--quick]

  <name>     only these mutants (default: all); their rows of ${TABLE} are written anew
  --quick    three of them: ${QUICK.join(', ')}
  --list     what mutants there are

Exit code: 0 every catcher caught its mutant, 1 one let it pass, 2 one failed for another reason: without the mutant, or because it could not be planted.`;

function chosen(): { mutants: readonly Mutant[]; keeps: boolean } | null {
  const options = { quick: { type: 'boolean' }, list: { type: 'boolean' }, help: { type: 'boolean' } } as const;
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  if (values.list || values.help) {
    console.log(values.help ? USAGE : MUTANTS.map(({ name, bug }) => `${name}: ${bug}`).join('\n'));
    return null;
  }
  const names = values.quick ? QUICK : positionals;
  return { mutants: names.length > 0 ? names.map(mutantNamed) : MUTANTS, keeps: !values.quick };
}

const say = (line: string): void => console.log(`${process.uptime().toFixed(0).padStart(5)} s  ${line}`);

class Runs {
  readonly #healthy = new Map<string, Promise<Outcome>>();
  /** Catchers that were not green at once without a mutant. */
  readonly #doubtful = new Set<string>();

  constructor(
    private readonly stores: CatcherStores,
    private readonly folder: string,
  ) {}

  /** A catcher that is red anyway catches nothing, so it is asked without the mutant first. */
  async try(mutant: Mutant, catcher: Catcher): Promise<{ verdict: Verdict; says: string }> {
    const healthy = await this.#withoutMutant(catcher);
    if (healthy.verdict !== 'green') return { verdict: 'broken', says: `not green without a mutant: ${healthy.says}` };
    const first = await runCatcher(catcher, mutant.name, this.stores, this.folder);
    // One that was once red without a reason may be so again.
    const { verdict, says } = first.verdict === 'red' && this.#doubtful.has(nameOfCatcher(catcher)) ? await runCatcher(catcher, mutant.name, this.stores, this.folder) : first;
    return { verdict: verdict === 'red' ? 'caught' : verdict === 'green' ? 'escaped' : 'broken', says };
  }

  #withoutMutant(catcher: Catcher): Promise<Outcome> {
    const name = nameOfCatcher(catcher);
    const known = this.#healthy.get(name) ?? this.#greenAtLast(catcher);
    this.#healthy.set(name, known);
    return known;
  }

  /** On a busy machine a test may be too late once. */
  async #greenAtLast(catcher: Catcher): Promise<Outcome> {
    let outcome = await runCatcher(catcher, null, this.stores, this.folder);
    for (let again = 1; again < HEALTHY_TRIES_MAX && outcome.verdict !== 'green'; again += 1) {
      this.#doubtful.add(nameOfCatcher(catcher));
      outcome = await runCatcher(catcher, null, this.stores, this.folder);
    }
    return outcome;
  }
}

async function runAll(mutants: readonly Mutant[], runs: Runs): Promise<{ caught: Caught[]; worst: Verdict }> {
  const caught: Caught[] = [];
  let worst: Verdict = 'caught';
  for (const mutant of mutants) {
    const said: string[] = [];
    for (const catcher of mutant.catchers) {
      const { verdict, says } = await runs.try(mutant, catcher);
      say(`${verdict.toUpperCase().padEnd(7)}  ${mutant.name}  by ${nameOfCatcher(catcher)}: ${says}`);
      said.push(says);
      if (EXIT_CODES[verdict] > EXIT_CODES[worst]) worst = verdict;
    }
    caught.push({ mutant, said });
  }
  return { caught, worst };
}

async function main(): Promise<number> {
  const asked = chosen();
  if (!asked) return 0;
  const folder = makeRunFolder(tmpdir(), 'frontrow-mutants-');
  mkdirSync(join(folder, 'tmp'));
  const stores = await startOwnStores(join(folder, 'stores'), say);
  try {
    const { caught, worst } = await runAll(asked.mutants, new Runs({ database: stores.database, redis: [stores.redis] }, join(folder, 'tmp')));
    if (asked.keeps && worst === 'caught') writeFileSync(TABLE, mutantTable(MUTANTS, caught, readFileSync(TABLE, 'utf8')));
    say(`${worst === 'caught' ? 'Each was caught' : worst === 'escaped' ? 'Some escaped' : 'Some could not be judged'}: ${asked.mutants.length} mutants.`);
    return EXIT_CODES[worst];
  } finally {
    await stores.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

process.exitCode = await main();
