/** Calls that come in the same turn of the process and are for the same thing share one, in the order in which they came. Alone, one waits for nobody. */

interface Call<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

interface MicroBatchOptions {
  /** Those that come meanwhile wait for the next: the longer one takes the more share it. */
  oneAfterTheOther?: boolean;
}

export class MicroBatch<Item, Result> {
  readonly #calls = new Map<string, Call<Item, Result>[]>();
  readonly #oneAfterTheOther: boolean;
  #isDue = false;
  #running = 0;

  constructor(
    /** One result for each item. */
    private readonly run: (key: string, items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly sizeMax: number,
    { oneAfterTheOther = false }: MicroBatchOptions = {},
  ) {
    this.#oneAfterTheOther = oneAfterTheOther;
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
    setImmediate(() => {
      this.#isDue = false;
      this.#runAll();
    });
  }

  #runAll(): void {
    const all = [...this.#calls];
    this.#calls.clear();
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
