/** Calls that come in the same turn of the process and are for the same thing share one, in the order in which they came. Alone, one waits for nobody. */

interface Call<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

interface MicroBatchOptions {
  /** Those that come meanwhile wait for the next: the longer one takes the more share it. */
  oneAfterTheOther?: boolean;
  /** Nor is one begun sooner than so long after the last: what a crowd asks costs less the more of it share. Who comes alone still waits for nobody. */
  everyMs?: number;
}

export class MicroBatch<Item, Result> {
  #calls = new Map<string, Call<Item, Result>[]>();
  readonly #oneAfterTheOther: boolean;
  readonly #everyMs: number;
  #begunAt = -Infinity;
  #isDue = false;
  #running = 0;

  constructor(
    /** One result for each item. */
    private readonly run: (key: string, items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly sizeMax: number,
    { oneAfterTheOther = false, everyMs = 0 }: MicroBatchOptions = {},
  ) {
    this.#oneAfterTheOther = oneAfterTheOther;
    this.#everyMs = everyMs;
  }

  ask(key: string, item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      const call = { item, resolve, reject };
      const calls = this.#calls.get(key);
      if (calls) calls.push(call);
      else this.#calls.set(key, [call]);
      this.#runSoon();
    });
  }

  #runSoon(): void {
    if (this.#isDue || this.#calls.size === 0 || (this.#oneAfterTheOther && this.#running > 0)) return;
    this.#isDue = true;
    const run = (): void => {
      this.#isDue = false;
      this.#runAll();
    };
    const waitMs = this.#everyMs === 0 ? 0 : this.#begunAt + this.#everyMs - performance.now();
    if (waitMs > 0) setTimeout(run, waitMs);
    else setImmediate(run);
  }

  #runAll(): void {
    const all = this.#calls;
    // Not cleared: what is left of a map that was cleared keeps its calls, and points to what followed. One that has grown old would keep everything after it.
    this.#calls = new Map();
    this.#begunAt = performance.now();
    for (const [key, calls] of all) {
      for (let from = 0; from < calls.length; from += this.sizeMax) void this.#runOne(key, calls.slice(from, from + this.sizeMax));
    }
  }

  async #runOne(key: string, calls: readonly Call<Item, Result>[]): Promise<void> {
    this.#running += 1;
    try {
      const results = await this.run(key, calls.map(({ item }) => item));
      for (const [index, { resolve }] of calls.entries()) resolve(results[index]!);
    } catch (error) {
      for (const { reject } of calls) reject(error);
    } finally {
      this.#running -= 1;
      this.#runSoon();
    }
  }
}
