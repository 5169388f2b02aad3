/** Times in buckets of about one percent, so that millions of them cost nothing and several can be added up. */

const GROWTH = 1.01;
const SMALLEST_MS = 0.01;
const BUCKETS = Math.ceil(Math.log(600_000 / SMALLEST_MS) / Math.log(GROWTH));

/** As it travels between processes. */
export interface Times {
  count: number;
  sumMs: number;
  maxMs: number;
  /** Bucket by bucket, those that are not empty. */
  buckets: [index: number, count: number][];
}

export class Histogram {
  readonly #buckets = new Float64Array(BUCKETS);
  #count = 0;
  #sumMs = 0;
  #maxMs = 0;

  static of(...all: readonly Times[]): Histogram {
    const histogram = new Histogram();
    for (const times of all) histogram.#merge(times);
    return histogram;
  }

  add(ms: number): void {
    const index = Math.min(BUCKETS - 1, Math.max(0, Math.ceil(Math.log(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) / Math.log(GROWTH))));
    this.#buckets[index]! += 1;
    this.#count += 1;
    this.#sumMs += ms;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  get count(): number {
    return this.#count;
  }

  get averageMs(): number {
    return this.#count === 0 ? 0 : this.#sumMs / this.#count;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  /** `quantile` from 0 to 1; the upper end of its bucket, never more than the largest. */
  quantileMs(quantile: number): number {
    const rank = Math.max(1, Math.ceil(quantile * this.#count));
    let seen = 0;
    for (let index = 0; index < BUCKETS; index += 1) {
      seen += this.#buckets[index]!;
      if (seen >= rank) return Math.min(this.#maxMs, SMALLEST_MS * GROWTH ** index);
    }
    return this.#maxMs;
  }

  times(): Times {
    const buckets = [...this.#buckets.entries()].filter(([, count]) => count > 0) as [number, number][];
    return { count: this.#count, sumMs: this.#sumMs, maxMs: this.#maxMs, buckets };
  }

  #merge({ count, sumMs, maxMs, buckets }: Times): void {
    for (const [index, inBucket] of buckets) this.#buckets[index]! += inBucket;
    this.#count += count;
    this.#sumMs += sumMs;
    this.#maxMs = Math.max(this.#maxMs, maxMs);
  }
}
