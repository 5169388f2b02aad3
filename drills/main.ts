import { parseArgs } from 'node:util';
import { APART, catalogue } from './catalogue.js';
import type { Drill, Scale } from './drill.js';
import { listenForCtrlC } from './support/interruption.js';
import { runDrill } from './support/run-drill.js';
import { summaryOf } from './support/summary.js';
import { readReports } from './support/report.js';

/** `npm run drill -- <name> --seed N`: breaks Frontrow on purpose and says whether anything was lost. */

const WRONG_USAGE = 64;
const EXIT_CODES = { PASSED: 0, FAILED: 1, UNKNOWN: 2 } as const;

const USAGE = `npm run drill -- <name>... [--seed N] [--small]

  <name>      one or more drills, or all (every one but ${APART.join(', ')})
  --seed N    a whole number; the same seed makes the same choices (default: 1)
  --small     few users and faults: seconds instead of minutes
  --list      what drills there are
  --summary   the reports in drills/reports as a table
  --help      this

Exit code: 0 all passed, 1 a check found a violation, 2 it could not be told, ${WRONG_USAGE} wrong usage.`;

class WrongUsage extends Error {}

interface Asked {
  drills: Drill[];
  seed: number;
  scale: Scale;
}

function printList(): void {
  const width = Math.max(...catalogue.map(({ name }) => name.length));
  for (const { name, proves } of catalogue) console.log(`${name.padEnd(width)}  ${proves}`);
}

function drillsNamed(names: string[]): Drill[] {
  if (names.length === 0) throw new WrongUsage('Which drill?');
  const chosen = names.flatMap((name) => {
    if (name === 'all') return catalogue.filter((drill) => !APART.includes(drill.name));
    const drill = catalogue.find((one) => one.name === name);
    if (!drill) throw new WrongUsage(`There is no drill "${name}". There are: ${catalogue.map((one) => one.name).join(', ')}, all.`);
    return [drill];
  });
  return [...new Set(chosen)];
}

function seedOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new WrongUsage(`--seed must be a whole number of at most nine digits, not "${text}".`);
  return Number(text);
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        seed: { type: 'string', default: '1' },
        small: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        summary: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new WrongUsage(error instanceof Error ? error.message : String(error));
  }
}

/** Null when the question was answered already. */
function asked(): Asked | null {
  const { values, positionals } = parse();
  const answer = values.help ? () => console.log(USAGE) : values.list ? printList : values.summary ? () => console.log(summaryOf(readReports())) : null;
  if (answer) {
    answer();
    return null;
  }
  return { drills: drillsNamed(positionals), seed: seedOf(values.seed), scale: values.small ? 'small' : 'full' };
}

async function main(): Promise<number> {
  const what = asked();
  if (!what) return 0;
  const interruption = listenForCtrlC();
  let worst = 0;
  for (const drill of what.drills) {
    if (interruption.aborted) break;
    const report = await runDrill(drill, { seed: what.seed, scale: what.scale, signal: interruption, write: (line) => console.log(line), save: true });
    worst = Math.max(worst, EXIT_CODES[report.verdict]);
  }
  return interruption.aborted ? EXIT_CODES.UNKNOWN : worst;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof WrongUsage)) throw error;
  console.error(`${error.message}\n\n${USAGE}`);
  process.exitCode = WRONG_USAGE;
}
