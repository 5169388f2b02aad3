import type { Keeper } from '../bench.js';
import { closeAll } from './close-all.js';
import { startWorld, type BenchWorld, type WorldOptions } from './world.js';

/** What was started, and how it is ended. */
export class Kept implements Keeper {
  readonly #closing: (() => Promise<unknown> | void)[] = [];

  constructor(private readonly say: (line: string) => void) {}

  async world(options: WorldOptions = {}): Promise<BenchWorld> {
    const world = await startWorld(options, this.say);
    this.closing(() => world.close());
    return world;
  }

  closing(close: () => Promise<unknown> | void): void {
    this.#closing.push(close);
  }

  close(): Promise<void> {
    return closeAll(this.#closing);
  }
}

/** What benches of one stage share, as long as they follow each other. */
export class Stage {
  #kept: Kept | undefined;
  #made: Promise<unknown> | undefined;

  make<T>(say: (line: string) => void, make: (stage: Keeper) => Promise<T>): Promise<T> {
    this.#kept ??= new Kept(say);
    return (this.#made ??= make(this.#kept)) as Promise<T>;
  }

  async close(): Promise<void> {
    const kept = this.#kept;
    this.#kept = this.#made = undefined;
    await kept?.close();
  }
}
