import { commitOf } from '../../drills/support/report.js';
import type { Bench, BenchRun, Gate, Mode, Plot, Table, Wanted } from '../bench.js';
import { gateLine, machineOf, type Report } from './report.js';
import { isNoisy, pairedRatio, type Comparison, type Rounds } from './stats.js';
import { verdictOf, worstOf } from './verdict.js';
import { startWorld, type BenchWorld, type WorldOptions } from './world.js';

interface How {
  mode: Mode;
  short: boolean;
  signal: AbortSignal;
  say(line: string): void;
}

class Run implements BenchRun {
  readonly report: Report;
  readonly #closing: (() => Promise<unknown> | void)[] = [];

  constructor(
    bench: Bench,
    private readonly how: How,
  ) {
    const found: Pick<Report, 'parts' | 'gates' | 'checks' | 'notes' | 'tables' | 'plots'> = { parts: [], gates: [], checks: [], notes: [], tables: [], plots: [] };
    const what = { bench: bench.name, asks: bench.asks, mode: how.mode, commit: commitOf(), machine: machineOf() };
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
    this.gate({ name, value: ratio.median, min: ratio.min, max: ratio.max, ...wanted, noisy: isNoisy(ratio) });
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

  async world(options: WorldOptions = {}): Promise<BenchWorld> {
    const world = await startWorld(options, (line) => this.say(line));
    this.closing(() => world.close());
    return world;
  }

  closing(close: () => Promise<unknown> | void): void {
    this.#closing.push(close);
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

  async close(): Promise<void> {
    while (this.#closing.length > 0) await this.#closing.pop()!();
  }
}

/** Runs one bench and ends what it started, whatever happens. */
export async function runBench(bench: Bench, how: How): Promise<Report> {
  const run = new Run(bench, how);
  const startedAt = performance.now();
  try {
    await bench.run(run);
    run.report.verdict = run.report.checks.every(({ ok }) => ok) ? worstOf(run.report.gates.map(({ verdict }) => verdict)) : 'failed';
  } catch (error) {
    run.report.cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
  } finally {
    await run.close().catch((error: unknown) => (run.report.cause ??= `not closed in order: ${String(error)}`));
  }
  run.report.tookSeconds = (performance.now() - startedAt) / 1000;
  return run.report;
}
