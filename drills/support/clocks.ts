import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DrillRun } from '../drill.js';
import { fakeClock, type FakeClock } from './faketime.js';

/** A wall clock of its own for each process that is named, for `WorldOptions.nodeEnv` and for moving it while the process runs. */
export class Clocks {
  private constructor(private readonly clocks: ReadonlyMap<string, FakeClock>) {}

  static async make(run: DrillRun, offsetsMs: Readonly<Record<string, number>>): Promise<Clocks> {
    const folder = mkdtempSync(join(tmpdir(), 'frontrow-clocks-'));
    run.closing(() => rmSync(folder, { recursive: true, force: true }));
    const clocks = new Map<string, FakeClock>();
    for (const [name, offsetMs] of Object.entries(offsetsMs)) clocks.set(name, await fakeClock(folder, name, offsetMs, (line) => run.say(line)));
    return new Clocks(clocks);
  }

  readonly env = (name: string): Record<string, string> => this.clocks.get(name)?.env ?? {};

  get names(): string[] {
    return [...this.clocks.keys()];
  }

  set(name: string, offsetMs: number): void {
    this.clocks.get(name)!.set(offsetMs);
  }
}
