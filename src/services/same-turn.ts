import { byDeadline, remainingMs, withoutDeadline } from '../domain/deadline.js';

/** Questions of one turn of the event loop are asked together, however many requests they come from. Nothing is remembered: the next turn asks again. */
export class SameTurn<Key, Value> {
  #waiting = new Map<Key, PromiseWithResolvers<Value | undefined>>();

  constructor(
    private readonly ask: (keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>,
    /** Of one question. */
    private readonly keysMax: number,
  ) {}

  /** Undefined for what there is none of. */
  get(key: Key): Promise<Value | undefined> {
    return byDeadline(this.#ofAll(key), remainingMs());
  }

  #ofAll(key: Key): Promise<Value | undefined> {
    const waiting = this.#waiting.get(key);
    if (waiting) return waiting.promise;
    const asked = Promise.withResolvers<Value | undefined>();
    this.#waiting.set(key, asked);
    if (this.#waiting.size === 1) setImmediate(() => this.#askAll());
    else if (this.#waiting.size >= this.keysMax) this.#askAll();
    return asked.promise;
  }

  #askAll(): void {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    if (waiting.size === 0) return;
    withoutDeadline(() => this.ask([...waiting.keys()])).then(
      (values) => waiting.forEach(({ resolve }, key) => resolve(values.get(key))),
      (error: unknown) => waiting.forEach(({ reject }) => reject(error)),
    );
  }
}
