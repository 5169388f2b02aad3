import { parseArgs } from 'node:util';
import type { Bench, Mode } from '../bench.js';
import type { Report } from './report.js';

/** What the command line asks for. */

export interface Surroundings {
  catalogue: readonly Bench[];
  write(line: string): void;
  complain(line: string): void;
  /** `stageStays`: another bench of the same stage comes next. */
  run(bench: Bench, how: { mode: Mode; short: boolean; stageStays: boolean }): Promise<Report>;
  /** After the last bench; the answer is printed. */
  finish(mode: Mode): string;
  interrupted(): boolean;
}

const WRONG_USAGE = 64;
export const EXIT_CODES = { met: 0, short: 1, failed: 1, inconclusive: 2 } as const;

const USAGE = `npm run bench [-- <name>...] [--quick | --short] [--any-speed]

  <name>       one or more benches; all of them when none is named
  --quick      all benches in about three minutes: fewer rounds, smaller numbers
  --short      the mixed flow of the full run takes 60 seconds instead of three minutes
  --any-speed  the exit code tells only whether everything ran and came out right, for machines that are shared
  --list       what benches there are
  --help       this

Exit code: 0 everything that must be shown was shown, 1 something falls short or failed, 2 the machine was too noisy to tell, ${WRONG_USAGE} wrong usage.
Reports go to bench/reports: a JSON file for each bench, and one page with the plots.`;

class WrongUsage extends Error {}

/** The exit code. */
export async function command(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { catalogue, write, complain } = surroundings;
  try {
    const { values, positionals } = parse(args);
    if (values.help || values.list) {
      write(values.help ? USAGE : listOf(catalogue));
      return 0;
    }
    const verdict = await runAll(named(positionals, catalogue), { mode: values.quick ? 'quick' : 'full', short: values.short }, surroundings);
    return values['any-speed'] && verdict !== 'failed' && !surroundings.interrupted() ? EXIT_CODES.met : EXIT_CODES[verdict];
  } catch (error) {
    if (!(error instanceof WrongUsage)) throw error;
    complain(`${error.message}\n\n${USAGE}`);
    return WRONG_USAGE;
  }
}

function parse(args: readonly string[]) {
  try {
    const flag = { type: 'boolean', default: false } as const;
    return parseArgs({ args: [...args], allowPositionals: true, options: { quick: flag, short: flag, 'any-speed': flag, list: flag, help: flag } });
  } catch (error) {
    throw new WrongUsage(error instanceof Error ? error.message : String(error));
  }
}

function listOf(catalogue: readonly Bench[]): string {
  const width = Math.max(...catalogue.map(({ name }) => name.length));
  return catalogue.map(({ name, asks }) => `${name.padEnd(width)}  ${asks}`).join('\n');
}

function named(names: readonly string[], catalogue: readonly Bench[]): readonly Bench[] {
  if (names.length === 0) return catalogue;
  return [...new Set(names)].map((name) => {
    const bench = catalogue.find((one) => one.name === name);
    if (!bench) throw new WrongUsage(`There is no bench "${name}". There are: ${catalogue.map((one) => one.name).join(', ')}.`);
    return bench;
  });
}

async function runAll(benches: readonly Bench[], how: { mode: Mode; short: boolean }, { run, write, finish, interrupted }: Surroundings): Promise<keyof typeof EXIT_CODES> {
  const reports: Report[] = [];
  for (const [index, bench] of benches.entries()) {
    if (interrupted()) break;
    reports.push(await run(bench, { ...how, stageStays: bench.stage !== undefined && bench.stage === benches[index + 1]?.stage }));
  }
  if (benches.length > 1) for (const { bench, verdict, tookSeconds } of reports) write(`${verdict.padEnd(12)} ${bench} (${tookSeconds.toFixed(0)} s)`);
  write(finish(how.mode));
  if (interrupted()) return 'inconclusive';
  const verdicts = reports.map(({ verdict }) => verdict);
  return (['failed', 'short', 'inconclusive'] as const).find((verdict) => verdicts.includes(verdict)) ?? 'met';
}
