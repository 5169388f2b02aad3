import type { DrillRun, Scale } from '../drill.js';
import type { Edit } from '../inject/replace.ts';
import { plantedEnv } from '../inject/environment.js';
import { History } from './history.js';
import type { Violation } from './model.js';
import type { Random } from './random.js';
import type { World, WorldOptions } from './world.js';

/** A drill within a drill, with a history and worlds of its own. What it finds, and its figures, are kept apart from those of the whole. */
export class SubRun implements DrillRun {
  readonly history = new History();
  readonly random: Random;
  readonly found: Violation[] = [];
  readonly figures = new Map<string, number | string>();
  readonly #worlds: World[] = [];

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
    return world;
  }

  closing(close: () => Promise<void> | void): void {
    this.whole.closing(close);
  }

  /** Its worlds need not wait for the end of the whole. */
  async close(): Promise<void> {
    for (const world of this.#worlds) await world.close();
  }
}

/** A guard that is off. */
export interface GuardOff {
  name: string;
  edits: readonly Edit[];
}

/** Runs the work, small, on a system whose guard is off: checks that find nothing then would find nothing ever. */
export async function negativeControl(run: DrillRun, { name, edits }: GuardOff, work: (run: DrillRun) => Promise<void>): Promise<void> {
  await run.part(`control: ${name}`, async () => {
    const control = new SubRun(run, 'control', 'small', plantedEnv(edits));
    try {
      await work(control);
    } catch (error) {
      if (control.found.length === 0) throw error;
    } finally {
      await control.close();
    }
    const kinds = Object.entries(Object.groupBy(control.found, ({ kind }) => kind)).map(([kind, all]) => `${all!.length} ${kind}`);
    run.figure(`found with ${name}`, kinds.join(', ') || 'nothing');
    run.expect(control.found.length > 0, `with ${name} every check still passes`);
  });
}
