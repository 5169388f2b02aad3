interface Remembered<T> {
  since: number;
  value: Promise<T>;
}

/** Remembers answers for a moment, so that a crowd asking the same thing at once is one question. Bounded; failures are not remembered. */
export class BriefMemo<T> {
  readonly #remembered = new Map<string, Remembered<T>>();

  constructor(
    private readonly load: (key: string) => Promise<T>,
    private readonly maxAgeMs: number,
    private readonly sizeMax: number,
  ) {}

  get(key: string): Promise<T> {
    const known = this.#remembered.get(key);
    return known && performance.now() - known.since < this.maxAgeMs ? known.value : this.refresh(key);
  }

  /** Asks again, whatever is remembered. */
  refresh(key: string): Promise<T> {
    const value = this.load(key);
    this.#remembered.delete(key);
    this.#remembered.set(key, { since: performance.now(), value });
    value.catch(() => this.#forget(key, value));
    if (this.#remembered.size > this.sizeMax) this.#remembered.delete(this.#remembered.keys().next().value!);
    return value;
  }

  #forget(key: string, value: Promise<T>): void {
    if (this.#remembered.get(key)?.value === value) this.#remembered.delete(key);
  }
}
