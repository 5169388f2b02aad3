import type { Logger } from 'pino';
import { hasEnded, isNews, type QueuePosition } from '../domain/queue.js';
import { topics, type Messages, type PubSub } from '../redis/pubsub.js';
import type { QueuePositions } from './queue-positions.js';

/**
 * All who watch one queue from this process share one listener and one reading at a time, so that a watcher costs next to nothing. What a
 * watcher is sent never goes back in time, and one who reads slowly misses positions in between, never the last.
 */

const READ_AT_ONCE = 500;
/** Whom a moving line is told at once, as promised; those behind hear it with the next heartbeat. */
const NEAR_POSITION = 1000;

/** One subscription: holds the latest position not yet taken, and ends after COMPLETED or EXPIRED. */
class Watcher implements AsyncIterableIterator<QueuePosition> {
  #known: QueuePosition | null = null;
  #untaken: QueuePosition | null = null;
  #takers: ((result: IteratorResult<QueuePosition>) => void)[] = [];
  #left = false;

  constructor(
    readonly userId: string,
    private readonly onLeave: (watcher: Watcher) => void,
  ) {}

  /** Whether the watcher may be near the head, `gone` of those before having left the line since the position was read. */
  isNear(gone: number): boolean {
    return this.#known === null || this.#known.position - gone <= NEAR_POSITION;
  }

  offer(position: QueuePosition): void {
    if (this.#left || !isNews(this.#known, position)) return;
    this.#known = position;
    const take = this.#takers.shift();
    if (take) take({ value: position, done: false });
    else this.#untaken = position;
    if (hasEnded(position)) this.#leave();
  }

  next(): Promise<IteratorResult<QueuePosition>> {
    const position = this.#untaken;
    this.#untaken = null;
    if (position) return Promise.resolve({ value: position, done: false });
    if (this.#left) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  return(): Promise<IteratorResult<QueuePosition>> {
    this.#untaken = null;
    this.#leave();
    return Promise.resolve({ value: undefined, done: true });
  }

  throw(error: unknown): Promise<IteratorResult<QueuePosition>> {
    void this.return();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    for (const take of this.#takers) take({ value: undefined, done: true });
    this.onLeave(this);
  }
}

class Room {
  readonly listening: Promise<() => void>;
  readonly #watchers = new Map<string, Set<Watcher>>();
  /** The place of each, by Redis: what is brought back when Redis has lost it. Null without one. */
  readonly #places = new Map<string, number | null>();
  /** Who is to be read next. */
  #due = new Set<string>();
  #present = false;
  #reading = false;
  #heardHeartbeat = false;
  /** Users who were told of since everyone's position was last read: the line is at most so much shorter. */
  #gone = 0;

  constructor(
    readonly concertId: string,
    pubsub: PubSub,
    private readonly positions: QueuePositions,
    private readonly logger: Logger,
  ) {
    this.listening = pubsub.listen<'queueMoved'>(topics.queueMoved(concertId), (message) => this.#hear(message));
  }

  get empty(): boolean {
    return this.#watchers.size === 0;
  }

  add(watcher: Watcher, place: number | null): void {
    const ofUser = this.#watchers.get(watcher.userId) ?? new Set();
    this.#places.set(watcher.userId, place);
    this.#watchers.set(watcher.userId, ofUser.add(watcher));
  }

  remove(watcher: Watcher): void {
    const ofUser = this.#watchers.get(watcher.userId);
    ofUser?.delete(watcher);
    if (ofUser?.size !== 0) return;
    this.#watchers.delete(watcher.userId);
    this.#places.delete(watcher.userId);
  }

  refresh(users: Iterable<string>): void {
    for (const userId of users) if (this.#watchers.has(userId)) this.#due.add(userId);
    if (!this.#reading) void this.#readDue();
  }

  refreshAll(): void {
    this.#gone = 0;
    this.refresh(this.#watchers.keys());
  }

  /** Between two beats a queue that is looked after has a heartbeat; without one it may be lost, and its places with it. */
  hearBeat(): void {
    if (!this.#heardHeartbeat) this.refreshAll();
    this.#heardHeartbeat = false;
  }

  #hear({ users, moved, heartbeat }: Messages['queueMoved']): void {
    if (heartbeat) this.#present = this.#heardHeartbeat = true;
    this.#gone += users.length;
    // A heartbeat reads everyone: it makes good for messages that were lost.
    if (heartbeat) this.refreshAll();
    else this.refresh(moved ? [...users, ...this.#near()] : users);
  }

  *#near(): Iterable<string> {
    for (const [userId, watchers] of this.#watchers) if ([...watchers].some((watcher) => watcher.isNear(this.#gone))) yield userId;
  }

  /** One reading at a time; what falls due meanwhile is read once more after it. */
  async #readDue(): Promise<void> {
    this.#reading = true;
    try {
      while (this.#due.size > 0) {
        const [users, present] = [[...this.#due], this.#present];
        this.#due.clear();
        this.#present = false;
        let isStale = false;
        for (let from = 0; from < users.length; from += READ_AT_ONCE) isStale = (await this.#readSome(users.slice(from, from + READ_AT_ONCE), present, isStale)) || isStale;
        // Nobody's position is known before all are back whose places were lost.
        if (isStale) for (const userId of users) if (this.#watchers.has(userId)) this.#due.add(userId);
      }
    } catch (error) {
      this.logger.warn({ err: error, concertId: this.concertId }, 'positions not read; the next heartbeat reads them');
    } finally {
      this.#reading = false;
    }
  }

  /** True when what was read is to be read once more. */
  async #readSome(users: string[], present: boolean, isStale: boolean): Promise<boolean> {
    const holders = users.map((userId) => ({ userId, place: this.#places.get(userId) ?? null }));
    const reading = await this.positions.readHolders(this.concertId, holders, present);
    for (const [index, userId] of users.entries()) if (this.#watchers.has(userId)) this.#places.set(userId, reading.places[index] ?? null);
    if (isStale || reading.isStale) return true;
    for (const position of reading.positions) for (const watcher of this.#watchers.get(position.userId) ?? []) watcher.offer(position);
    return false;
  }
}

export class QueueRooms {
  readonly #rooms = new Map<string, Room>();
  #beats: Promise<unknown> | null = null;

  constructor(
    private readonly pubsub: PubSub,
    private readonly positions: QueuePositions,
    private readonly logger: Logger,
  ) {}

  /** Listens first and reads then, so that no change falls in between. */
  async watch(concertId: string, userId: string, place: number | null): Promise<AsyncIterableIterator<QueuePosition>> {
    const room = this.#rooms.get(concertId) ?? this.#open(concertId);
    const watcher = new Watcher(userId, () => this.#leave(room, watcher));
    room.add(watcher, place);
    try {
      await Promise.all([room.listening, this.#listenToBeats()]);
    } catch (error) {
      void watcher.return();
      throw error;
    }
    room.refresh([userId]);
    return watcher;
  }

  /** After a time without Redis: what was told meanwhile, or lost with it, is read now. */
  refresh(): void {
    for (const room of this.#rooms.values()) room.refreshAll();
  }

  #listenToBeats(): Promise<unknown> {
    this.#beats ??= this.pubsub
      .listen<'queuesBeat'>(topics.queuesBeat(), () => {
        for (const room of this.#rooms.values()) room.hearBeat();
      })
      .catch((error: unknown) => {
        this.#beats = null;
        throw error;
      });
    return this.#beats;
  }

  #open(concertId: string): Room {
    const room = new Room(concertId, this.pubsub, this.positions, this.logger);
    this.#rooms.set(concertId, room);
    return room;
  }

  #leave(room: Room, watcher: Watcher): void {
    room.remove(watcher);
    if (!room.empty || this.#rooms.get(room.concertId) !== room) return;
    this.#rooms.delete(room.concertId);
    room.listening.then((stop) => stop()).catch((error: unknown) => this.logger.warn({ err: error }, 'queue room not closed'));
  }
}
