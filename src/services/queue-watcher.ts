import { Outlet } from '../domain/outlet.js';
import { hasEnded, isNews, type QueuePosition } from '../domain/queue.js';

/** One subscription: holds the latest position not yet taken, and ends after COMPLETED or EXPIRED. Who reads slowly misses positions in between, never the last. */
export class Watcher extends Outlet<QueuePosition> {
  #known: QueuePosition | null = null;
  #untaken: QueuePosition | null = null;

  constructor(
    readonly userId: string,
    private readonly onLeave: (watcher: Watcher) => void,
  ) {
    super();
  }

  offer(position: QueuePosition): void {
    if (this.isOver || !isNews(this.#known, position)) return;
    this.#known = this.#untaken = position;
    this.serve();
    if (hasEnded(position)) this.end();
  }

  protected override take(): QueuePosition | null {
    const position = this.#untaken;
    this.#untaken = null;
    return position;
  }

  protected override left(): void {
    this.onLeave(this);
  }
}
