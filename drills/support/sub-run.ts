import type { DrillRun, Scale } from '../drill.js';
import type { Edit } from '../inject/replace.ts';
import { plantedEnv } from '../inject/environment.js';
import { History } from './history.js';
import type { Violation } from './model.js';
import type { Random } from './random.js';
import { watchStarvation } from './starvation.js';
import type { World, WorldOptions } from './world.js';

/** A drill within a drill, with a history and worlds of its own. What it finds, and its figures, are kept apart from those of the whole. */
export class SubRun implements DrillRun {
  readonly history = new History();
  readonly random: Random;
  readonly found: Violation[] = [];
  readonly figures = new Map<string, number | string>();
  readonly #worlds: World[] = [];
  readonly #watches: (() => void)[] = [];

  constructor(
    private readonly whole: DrillRun,
    private readonly name: string,
    readonly scale: Scale = whole.scale,
    /** Laid over the environment of every process. */
    private readonly env: Record<string, string> = {},
  ) {
    this.random = whole.random.fork(name);
  }

  get seed(): number {
    return this.whole.seed;
  }

  get signal(): AbortSignal {
    return this.whole.signal;
  }

  sized<T>(sizes: Record<Scale, T>): T {
    return sizes[this.scale];
  }

  say(line: string): void {
    this.whole.say(`${this.name}: ${line}`);
  }

  figure(name: string, value: number | string): void {
    this.figures.set(name, value);
    this.say(`${name}: ${value}`);
  }

  part<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.whole.part(`${this.name}: ${name}`, work);
  }

  expect(ok: boolean, what: string): void {
    if (!ok) this.violations([{ kind: 'expectation', what, operations: [] }]);
  }

  violations(found: readonly Violation[]): void {
    this.found.push(...found);
  }

  async world(options: WorldOptions = {}): Promise<World> {
    const world = await this.whole.world({ ...options, env: { ...options.env, ...this.env } });
    this.#worlds.push(world);
    // The whole watches for its own history only.
    const unwatch = watchStarvation(this.history, world.nodes);
    this.#watches.push(unwatch);
    this.closing(unwatch);
    return world;
  }

  closing(close: () => Promise<void> | void): void {
    this.whole.closing(close);
  }

  /** Its worlds need not wait for the end of the whole. */
  async close(): Promise<void> {
    for (const unwatch of this.#watches) unwatch();
    for (const world of this.#worlds) await world.close();
  }
}

/** A guard that is off. */
export interface GuardOff {
  name: string;
  edits: readonly Edit[];
  /** Of violations: what the guard is there to prevent, of which at least one kind must be found. */
  kinds: readonly string[];
}

/** Runs the work, small, on a system whose guard is off: checks that do not find then what the guard prevents would never find it. */
export async function negativeControl(run: DrillRun, { name, edits, kinds }: GuardOff, work: (run: DrillRun) => Promise<void>): Promise<void> {
  await run.part(`control: ${name}`, async () => {
    const control = new SubRun(run, 'control', 'small', plantedEnv(edits));
    const isFound = (): boolean => control.found.some(({ kind }) => kinds.includes(kind));
    try {
      await work(control);
    } catch (error) {
      if (!isFound()) throw error;
    } finally {
      await control.close();
    }
    const found = Object.entries(Object.groupBy(control.found, ({ kind }) => kind)).map(([kind, all]) => `${all!.length} ${kind}`);
    run.figure(`found with ${name}`, found.join(', ') || 'nothing');
    run.expect(isFound(), `with ${name} the drill finds ${kinds.join(' or ')}`);
  });
}
