import { parseArgs } from 'node:util';
import type { Drill, Scale } from '../drill.js';
import { readReports } from './report.js';
import { runDrill } from './run-drill.js';
import { summaryOf } from './summary.js';

/** What the command line asks for. */

export interface Surroundings {
  catalogue: readonly Drill[];
  /** No part of `all`. */
  apart: readonly string[];
  write(line: string): void;
  complain(line: string): void;
  /** Aborted by Ctrl-C. */
  interruption(): AbortSignal;
  /** Whether reports go to files. */
  save: boolean;
}

const WRONG_USAGE = 64;
const EXIT_CODES = { PASSED: 0, FAILED: 1, UNKNOWN: 2 } as const;

const usageOf = ({ apart }: Surroundings): string => `npm run drill -- <name>... [--seed N] [--small]

  <name>        one or more drills, or all (every one but ${apart.join(', ')})
  --seed N      a whole number; the same seed makes the same choices (default: 1)
  --small       few users and faults: seconds instead of minutes
  --minutes N   for a drill that runs as long as it is asked
  --list        what drills there are
  --summary     the reports in drills/reports as a table
  --help        this

Exit code: 0 all passed, 1 a check found a violation, 2 it could not be told, ${WRONG_USAGE} wrong usage.`;

class WrongUsage extends Error {}

interface Asked {
  drills: Drill[];
  seed: number;
  scale: Scale;
  minutes?: number;
}

/** The exit code. */
export async function command(args: readonly string[], surroundings: Surroundings): Promise<number> {
  try {
    const { values, positionals } = parse(args);
    const answer = answerOf(values, surroundings);
    if (answer === null) return await runAll(askedBy(values, positionals, surroundings), surroundings);
    surroundings.write(answer);
    return 0;
  } catch (error) {
    if (!(error instanceof WrongUsage)) throw error;
    surroundings.complain(`${error.message}\n\n${usageOf(surroundings)}`);
    return WRONG_USAGE;
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        seed: { type: 'string', default: '1' },
        small: { type: 'boolean', default: false },
        minutes: { type: 'string' },
        list: { type: 'boolean', default: false },
        summary: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new WrongUsage(error instanceof Error ? error.message : String(error));
  }
}

type Values = ReturnType<typeof parse>['values'];

/** Of a question that needs no drill to be run. */
function answerOf({ help, list, summary }: Values, surroundings: Surroundings): string | null {
  if (help) return usageOf(surroundings);
  if (list) return listOf(surroundings);
  return summary ? summaryOf(readReports()) : null;
}

function listOf({ catalogue }: Surroundings): string {
  const width = Math.max(...catalogue.map(({ name }) => name.length));
  return catalogue.map(({ name, proves }) => `${name.padEnd(width)}  ${proves}`).join('\n');
}

function askedBy({ seed, small, minutes }: Values, names: readonly string[], surroundings: Surroundings): Asked {
  return {
    drills: drillsNamed(names, surroundings),
    seed: numberOf('seed', seed),
    scale: small ? 'small' : 'full',
    ...(minutes === undefined ? {} : { minutes: numberOf('minutes', minutes) }),
  };
}

function drillsNamed(names: readonly string[], { catalogue, apart }: Surroundings): Drill[] {
  if (names.length === 0) throw new WrongUsage('Which drill?');
  const chosen = names.flatMap((name) => {
    if (name === 'all') return catalogue.filter((drill) => !apart.includes(drill.name));
    const drill = catalogue.find((one) => one.name === name);
    if (!drill) throw new WrongUsage(`There is no drill "${name}". There are: ${catalogue.map((one) => one.name).join(', ')}, all.`);
    return [drill];
  });
  return [...new Set(chosen)];
}

function numberOf(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new WrongUsage(`--${option} must be a whole number of at most nine digits, not "${text}".`);
  return Number(text);
}

/** The worst of them decides. */
async function runAll({ drills, ...how }: Asked, { write, interruption, save }: Surroundings): Promise<number> {
  const signal = interruption();
  let worst = 0;
  const verdicts: string[] = [];
  for (const drill of drills) {
    if (signal.aborted) break;
    const report = await runDrill(drill, { ...how, signal, write, save });
    verdicts.push(`${report.verdict.padEnd(8)} ${report.drill} (${report.tookSeconds.toFixed(0)} s)`);
    worst = Math.max(worst, EXIT_CODES[report.verdict]);
  }
  if (drills.length > 1) for (const line of ['', `seed ${how.seed}, ${how.scale}:`, ...verdicts]) write(line);
  return signal.aborted ? EXIT_CODES.UNKNOWN : worst;
}
