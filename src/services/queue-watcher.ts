import { hasEnded, isNews, type QueuePosition } from '../domain/queue.js';

const OVER = { value: undefined, done: true } as const;

/** One subscription: holds the latest position not yet taken, and ends after COMPLETED or EXPIRED. Who reads slowly misses positions in between, never the last. */
export class Watcher implements AsyncIterableIterator<QueuePosition> {
  #known: QueuePosition | null = null;
  #untaken: QueuePosition | null = null;
  #take: ((result: IteratorResult<QueuePosition>) => void) | null = null;
  #left = false;

  constructor(
    readonly userId: string,
    private readonly onLeave: (watcher: Watcher) => void,
  ) {}

  offer(position: QueuePosition): void {
    if (this.#left || !isNews(this.#known, position)) return;
    this.#known = position;
    if (this.#take) this.#hand({ value: position, done: false });
    else this.#untaken = position;
    if (hasEnded(position)) this.#leave();
  }

  /** One taker at a time, as of a subscription. */
  next(): Promise<IteratorResult<QueuePosition>> {
    const position = this.#untaken;
    this.#untaken = null;
    if (position) return Promise.resolve({ value: position, done: false });
    if (this.#left) return Promise.resolve(OVER);
    return new Promise((resolve) => (this.#take = resolve));
  }

  return(): Promise<IteratorResult<QueuePosition>> {
    this.#untaken = null;
    this.#leave();
    return Promise.resolve(OVER);
  }

  throw(error: unknown): Promise<IteratorResult<QueuePosition>> {
    void this.return();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #hand(result: IteratorResult<QueuePosition>): void {
    const take = this.#take!;
    this.#take = null;
    take(result);
  }

  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    if (this.#take) this.#hand(OVER);
    this.onLeave(this);
  }
}
