/** Calls that come in the same turn of the process and are for the same thing share one, in the order in which they came. Alone, one waits for nobody. */

interface Call<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

export class MicroBatch<Item, Result> {
  #calls = new Map<string, Call<Item, Result>[]>();

  constructor(
    /** One result for each item. */
    private readonly run: (key: string, items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly sizeMax: number,
  ) {}

  ask(key: string, item: Item): Promise<Result> {
    if (this.#calls.size === 0) setImmediate(() => this.#runAll());
    return new Promise((resolve, reject) => {
      const call = { item, resolve, reject };
      const calls = this.#calls.get(key);
      if (calls) calls.push(call);
      else this.#calls.set(key, [call]);
    });
  }

  #runAll(): void {
    const all = this.#calls;
    this.#calls = new Map();
    for (const [key, calls] of all) {
      for (let from = 0; from < calls.length; from += this.sizeMax) void this.#runOne(key, calls.slice(from, from + this.sizeMax));
    }
  }

  async #runOne(key: string, calls: readonly Call<Item, Result>[]): Promise<void> {
    try {
      const results = await this.run(key, calls.map(({ item }) => item));
      for (const [index, { resolve }] of calls.entries()) resolve(results[index]!);
    } catch (error) {
      for (const { reject } of calls) reject(error);
    }
  }
}
