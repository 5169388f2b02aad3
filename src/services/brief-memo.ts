import { byDeadline, remainingMs, withoutDeadline } from '../domain/deadline.js';

interface Remembered<T> {
  since: number;
  value: Promise<T>;
  /** Nobody has to wait for it any more. */
  isKnown: boolean;
}

/**
 * Remembers answers, so that a crowd asking the same thing is one question a moment. An answer that has grown old is still given while it is
 * asked for again: nobody waits for what was known. Each waits only as long as there is time. Bounded; failures are not remembered.
 */
export class BriefMemo<T> {
  readonly #load: (key: string) => Promise<T>;
  readonly #remembered = new Map<string, Remembered<T>>();

  constructor(
    load: (key: string) => Promise<T>,
    private readonly maxAgeMs: number,
    private readonly sizeMax: number,
  ) {
    this.#load = (key) => withoutDeadline(() => load(key));
  }

  get(key: string): Promise<T> {
    const known = this.#remembered.get(key);
    if (!known) return this.refresh(key);
    if (performance.now() - known.since >= this.maxAgeMs) {
      known.since = performance.now();
      this.#load(key).then((answer) => (this.#remember(key, Promise.resolve(answer)).isKnown = true), () => undefined);
    }
    return known.isKnown ? known.value : byDeadline(known.value, remainingMs());
  }

  /** Asks again, whatever is remembered. */
  refresh(key: string): Promise<T> {
    const value = this.#load(key);
    const remembered = this.#remember(key, value);
    value.then(() => (remembered.isKnown = true), () => this.#forget(key, value));
    return byDeadline(value, remainingMs());
  }

  #remember(key: string, value: Promise<T>): Remembered<T> {
    const remembered = { since: performance.now(), value, isKnown: false };
    this.#remembered.delete(key);
    this.#remembered.set(key, remembered);
    if (this.#remembered.size > this.sizeMax) this.#remembered.delete(this.#remembered.keys().next().value!);
    return remembered;
  }

  #forget(key: string, value: Promise<T>): void {
    if (this.#remembered.get(key)?.value === value) this.#remembered.delete(key);
  }
}
