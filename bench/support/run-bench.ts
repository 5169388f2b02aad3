import { commitOf } from '../../drills/support/report.js';
import type { Bench, BenchRun, Gate, Keeper, Mode, Plot, Table, Wanted } from '../bench.js';
import { gateLine, machineOf, type Report } from './report.js';
import { Kept, type Stage } from './stage.js';
import { isNoisy, pairedRatio, type Comparison, type Rounds } from './stats.js';
import { verdictOf, worstOf } from './verdict.js';
import type { BenchWorld, WorldOptions } from './world.js';

interface How {
  mode: Mode;
  short: boolean;
  signal: AbortSignal;
  say(line: string): void;
  /** Another bench of the same stage comes next. */
  stageStays: boolean;
}

/** What was built when the bench began: by the time of the last of them the tree may be another. */
const COMMIT = commitOf();

class Run implements BenchRun {
  readonly report: Report;
  readonly kept = new Kept((line) => this.say(line));

  constructor(
    bench: Bench,
    private readonly how: How,
    private readonly stage: Stage,
  ) {
    const found: Pick<Report, 'parts' | 'gates' | 'checks' | 'notes' | 'tables' | 'plots'> = { parts: [], gates: [], checks: [], notes: [], tables: [], plots: [] };
    const what = { bench: bench.name, asks: bench.asks, mode: how.mode, commit: COMMIT, machine: machineOf() };
    this.report = { ...what, startedAt: new Date().toISOString(), tookSeconds: 0, verdict: 'failed', ...found };
  }

  get mode(): Mode {
    return this.how.mode;
  }

  get short(): boolean {
    return this.how.short;
  }

  get signal(): AbortSignal {
    return this.how.signal;
  }

  sized<T>(sizes: Record<Mode, T>): T {
    return sizes[this.mode];
  }

  say(line: string): void {
    this.how.say(`${this.report.bench}: ${line}`);
  }

  note(text: string): void {
    this.report.notes.push(text);
  }

  table(table: Table): void {
    this.report.tables.push(table);
  }

  plot(plot: Plot): void {
    this.report.plots.push(plot);
  }

  compare(name: string, rounds: Rounds, { wanted, ...comparison }: Comparison & { wanted: Wanted }): void {
    const ratio = pairedRatio(rounds, comparison);
    this.gate({ name, value: ratio.median, min: ratio.min, max: ratio.max, unit: '×', ...wanted, noisy: isNoisy(ratio) });
  }

  gate(gate: Gate): void {
    const judged = { ...gate, verdict: verdictOf(gate) };
    this.report.gates.push(judged);
    this.say(gateLine(judged));
  }

  expect(ok: boolean, what: string): void {
    this.report.checks.push({ what, ok });
    this.say(`${ok ? 'right' : 'WRONG'}: ${what}`);
  }

  world(options?: WorldOptions): Promise<BenchWorld> {
    return this.kept.world(options);
  }

  closing(close: () => Promise<unknown> | void): void {
    this.kept.closing(close);
  }

  onStage<T>(make: (stage: Keeper) => Promise<T>): Promise<T> {
    return this.stage.make((line) => this.say(line), make);
  }

  async part<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    const startedAt = performance.now();
    this.say(name);
    try {
      return await work();
    } finally {
      this.report.parts.push({ name, tookSeconds: (performance.now() - startedAt) / 1000 });
    }
  }
}

/** Runs one bench and ends what it started, whatever happens; the stage stays for the next one if all went well. */
export async function runBench(bench: Bench, how: How, stage: Stage): Promise<Report> {
  const run = new Run(bench, how, stage);
  const startedAt = performance.now();
  try {
    await bench.run(run);
    run.report.verdict = run.report.checks.every(({ ok }) => ok) ? worstOf(run.report.gates.map(({ verdict }) => verdict)) : 'failed';
  } catch (error) {
    run.report.cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
  } finally {
    await end(run, how, stage);
  }
  run.report.tookSeconds = (performance.now() - startedAt) / 1000;
  return run.report;
}

async function end({ kept, report }: Run, { stageStays }: How, stage: Stage): Promise<void> {
  try {
    await kept.close();
    if (!stageStays || report.cause) await stage.close();
  } catch (error) {
    report.cause ??= `not closed in order: ${String(error)}`;
    report.verdict = 'failed';
  }
}
