import type { Drill, DrillRun, Scale } from '../drill.js';
import { History, lineOf } from './history.js';
import type { Violation } from './model.js';
import { Random } from './random.js';
import { commitOf, linesOf, saveReport, type Report, type Verdict } from './report.js';
import { watchStarvation } from './starvation.js';
import { startWorld, type World, type WorldOptions } from './world.js';

export interface HowToRun {
  seed: number;
  scale: Scale;
  minutes?: number;
  /** Aborted by Ctrl-C. */
  signal?: AbortSignal;
  /** Takes the lines of progress and the summary. */
  write?: (line: string) => void;
  /** Whether the report goes to a file. */
  save?: boolean;
}

const VIOLATIONS_KEPT_MAX = 20;
const OPERATIONS_SHOWN_MAX = 12;

/** Runs a drill and closes what it opened, whatever happens: what it throws makes the verdict UNKNOWN, unless a violation was found before. */
export async function runDrill(drill: Drill, { seed, scale, minutes, signal, write = () => undefined, save = false }: HowToRun): Promise<Report> {
  const run = new Run(drill, seed, scale, minutes, write, signal);
  await run.toTheEnd();
  const report = run.report();
  if (save) write(`report: ${saveReport(report)}`);
  for (const line of linesOf(report)) write(line);
  return report;
}

class Run implements DrillRun {
  readonly random: Random;
  readonly history = new History();
  readonly #startedAt = new Date();
  readonly #commit = commitOf();
  readonly #ending = new AbortController();
  readonly #worlds: Promise<World>[] = [];
  readonly #closings: (() => Promise<void> | void)[] = [];
  readonly #parts: Report['parts'] = [];
  readonly #figures: Report['figures'] = {};
  readonly #violations: Violation[] = [];
  #cause: string | undefined;

  constructor(
    private readonly drill: Drill,
    readonly seed: number,
    readonly scale: Scale,
    readonly minutes: number | undefined,
    private readonly write: (line: string) => void,
    interruption?: AbortSignal,
  ) {
    this.random = new Random(seed);
    const interrupt = (): void => this.#ending.abort(interruption!.reason);
    if (interruption?.aborted) interrupt();
    else interruption?.addEventListener('abort', interrupt, { once: true, signal: this.#ending.signal });
  }

  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  sized<T>(sizes: Record<Scale, T>): T {
    return sizes[this.scale];
  }

  say(line: string): void {
    this.write(`${this.#elapsed().toFixed(1).padStart(7)} s  ${this.drill.name}: ${line}`);
  }

  figure(name: string, value: number | string): void {
    this.#figures[name] = value;
    this.say(`${name}: ${value}`);
  }

  async part<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    this.say(`── ${name}`);
    const startedAt = performance.now();
    try {
      return await work();
    } finally {
      this.#parts.push({ name, tookSeconds: (performance.now() - startedAt) / 1000 });
    }
  }

  expect(ok: boolean, what: string): void {
    if (!ok) this.violations([{ kind: 'expectation', what, operations: [] }]);
  }

  violations(found: readonly Violation[]): void {
    for (const violation of found) {
      this.#violations.push(violation);
      if (this.#violations.length <= VIOLATIONS_KEPT_MAX) this.say(`VIOLATED ${violation.kind}: ${violation.what}`);
    }
  }

  async world(options: WorldOptions = {}): Promise<World> {
    this.signal.throwIfAborted();
    const world = startWorld({ say: (line) => this.say(line), ...options });
    this.#worlds.push(world);
    this.closing(watchStarvation(this.history, (await world).nodes));
    return world;
  }

  closing(close: () => Promise<void> | void): void {
    this.#closings.push(close);
  }

  async toTheEnd(): Promise<void> {
    try {
      await raced(this.drill.run(this), this.signal);
    } catch (error) {
      this.#unknown(error);
    }
    this.#ending.abort(new Error('the drill is over'));
    for (const close of this.#closings.reverse()) await this.#closed(close);
    // One that is just being started is closed, too; one that could not be was told of already.
    for (const world of (await Promise.allSettled(this.#worlds)).reverse()) if (world.status === 'fulfilled') await this.#closed(() => world.value.close());
  }

  report(): Report {
    return {
      drill: this.drill.name,
      proves: this.drill.proves,
      seed: this.seed,
      scale: this.scale,
      commit: this.#commit,
      verdict: this.#verdict(),
      startedAt: this.#startedAt.toISOString(),
      tookSeconds: this.#elapsed(),
      parts: this.#parts,
      figures: this.#figures,
      operations: this.history.counts(),
      codes: this.history.codes(),
      violationCount: this.#violations.length,
      violations: this.#violations.slice(0, VIOLATIONS_KEPT_MAX).map(({ kind, what, operations }) => ({
        kind,
        what,
        history: operations.slice(0, OPERATIONS_SHOWN_MAX).map(lineOf),
      })),
      ...(this.#cause === undefined ? {} : { cause: this.#cause }),
    };
  }

  #verdict(): Verdict {
    if (this.#violations.length > 0) return 'FAILED';
    return this.#cause === undefined ? 'PASSED' : 'UNKNOWN';
  }

  #elapsed(): number {
    return (Date.now() - this.#startedAt.getTime()) / 1000;
  }

  async #closed(close: () => Promise<void> | void): Promise<void> {
    try {
      await close();
    } catch (error) {
      this.#unknown(error);
    }
  }

  #unknown(error: unknown): void {
    this.#cause ??= error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.say(`cannot tell: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Ends with the signal even if the drill does not listen to it: closing its worlds then ends what it waits for. */
async function raced(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const interrupted = Promise.withResolvers<never>();
  interrupted.promise.catch(() => undefined);
  const interrupt = (): void => interrupted.reject(signal.reason);
  if (signal.aborted) interrupt();
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    await Promise.race([work, interrupted.promise]);
  } finally {
    signal.removeEventListener('abort', interrupt);
    work.catch(() => undefined);
  }
}
