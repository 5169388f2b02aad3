import { withDeadline, withoutDeadline } from '../domain/deadline.js';
import { RequestError } from '../domain/errors.js';
import type { SeatStatus } from '../domain/states.js';
import { jittered } from './jitter.js';
import type { SeatCopy } from './seat-copies.js';

/**
 * All who watch the seats of one date from this process share one gathering of changes and one event for it, the same object for everyone, so that it is
 * written down once. Who reads slowly is given what has gathered since in one event: never more than the date has seats, nor than CHANGES_TOLD_MAX.
 */

/** More at once are told as: read the map again. They would be longer than a socket may have unread (about 40 bytes each), and no shorter than the map. */
export const CHANGES_TOLD_MAX = 10_000;

/** Changes of so long are told together, and several of one seat are one. It only gathers: nothing is decided by it. */
export const GATHER_MS = 100;
/** Telling one watcher takes some 10 µs. Where all of them would take more than a third of the time, changes gather for longer. */
const GATHER_PER_WATCHER_MS = 0.03;
export const GATHER_MAX_MS = 250;
export const gatherMs = (watchers: number): number => Math.min(GATHER_MAX_MS, Math.max(GATHER_MS, watchers * GATHER_PER_WATCHER_MS));
/** Whether a watcher still has the right to is asked so often. */
export const WATCHER_RECHECK_MS = 30_000;
const RECHECK_PATIENCE_MS = 4000;

interface SeatChanged {
  readonly number: number;
  readonly status: SeatStatus;
}

export interface SeatsEvent {
  readonly sequence: string;
  readonly changes: readonly SeatChanged[];
  /** True: read the map again. */
  readonly resync: boolean;
}

export const sequenceOf = ({ epoch, sequence }: Pick<SeatCopy, 'epoch' | 'sequence'>): string => `${epoch}.${sequence}`;

/** One subscription: what it has not taken yet, and an end. */
class Watcher implements AsyncIterableIterator<SeatsEvent> {
  #untaken: SeatsEvent | null = null;
  /** By seat number: the changes of `#untaken`, once it is more than one event. Each event is added to it, and nothing is gone through again. */
  #joined: Map<number, SeatChanged> | null = null;
  #takers: { resolve: (result: IteratorResult<SeatsEvent>) => void; reject: (error: unknown) => void }[] = [];
  #over: { error?: unknown } | null = null;

  constructor(
    public recheckAt: number,
    readonly mayWatch: () => Promise<void>,
    private readonly onLeave: (watcher: Watcher) => void,
  ) {}

  offer(event: SeatsEvent): void {
    if (this.#over) return;
    const taker = this.#takers.shift();
    if (taker) taker.resolve({ value: event, done: false });
    else if (this.#untaken === null) this.#untaken = event;
    else this.#join(this.#untaken, event);
  }

  next(): Promise<IteratorResult<SeatsEvent>> {
    const event = this.#joined && this.#untaken ? { ...this.#untaken, changes: [...this.#joined.values()] } : this.#untaken;
    this.#untaken = this.#joined = null;
    if (event) return Promise.resolve({ value: event, done: false });
    if (!this.#over) return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }));
    const { error } = this.#over;
    this.#over = {};
    return error === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(error);
  }

  return(): Promise<IteratorResult<SeatsEvent>> {
    this.#untaken = this.#joined = null;
    this.#leave();
    return Promise.resolve({ value: undefined, done: true });
  }

  throw(error: unknown): Promise<IteratorResult<SeatsEvent>> {
    void this.return();
    return Promise.reject(error);
  }

  /** Told to who takes the next event. */
  fail(error: unknown): void {
    const taker = this.#takers.shift();
    if (taker) taker.reject(error);
    this.#leave(taker ? undefined : error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Of each seat the later change counts. */
  #join(earlier: SeatsEvent, later: SeatsEvent): void {
    const { sequence } = later;
    this.#joined ??= byNumber(earlier.changes);
    for (const change of later.changes) this.#joined.set(change.number, change);
    const resync = earlier.resync || later.resync || this.#joined.size > CHANGES_TOLD_MAX;
    this.#untaken = { sequence, changes: [], resync };
    if (resync) this.#joined = null;
  }

  #leave(error?: unknown): void {
    if (this.#over) return;
    this.#over = { error };
    for (const taker of this.#takers) taker.resolve({ value: undefined, done: true });
    this.#takers = [];
    this.onLeave(this);
  }
}

const byNumber = (changes: readonly SeatChanged[]): Map<number, SeatChanged> => new Map(changes.map((change) => [change.number, change]));

class Room {
  readonly watchers = new Set<Watcher>();
  #changed = new Set<number>();
  #resync = false;
  #copy: SeatCopy;

  constructor(
    copy: SeatCopy,
    private readonly recheckMs: number,
  ) {
    this.#copy = copy;
  }

  note(copy: SeatCopy, numbers: readonly number[] | null): void {
    this.#copy = copy;
    if (numbers === null) this.#resync = true;
    else for (const number of numbers) this.#changed.add(number);
  }

  /** Each seat as it is now, whatever it was in between. */
  flush(): void {
    if (!this.#resync && this.#changed.size === 0) return;
    const event = this.#resync ? resyncOf(this.#copy) : changesOf(this.#copy, this.#changed);
    this.#resync = false;
    this.#changed = new Set();
    for (const watcher of this.watchers) watcher.offer(event);
  }

  recheck(): void {
    const now = performance.now();
    for (const watcher of this.watchers) {
      if (now < watcher.recheckAt) continue;
      watcher.recheckAt = now + this.recheckMs;
      withDeadline(RECHECK_PATIENCE_MS, () => watcher.mayWatch()).catch((error: unknown) => {
        // A store that is away says nothing of the right to watch.
        if (error instanceof RequestError && error.code !== 'SERVICE_UNAVAILABLE') watcher.fail(error);
      });
    }
  }
}

export const resyncOf = (copy: SeatCopy): SeatsEvent => ({ sequence: sequenceOf(copy), changes: [], resync: true });

/** Of seats whose numbers differ. */
export function changesOf(copy: SeatCopy, numbers: Iterable<number>): SeatsEvent {
  const changes: SeatChanged[] = [];
  for (const number of numbers) {
    const status = copy.snapshot.statusOf(number);
    if (status) changes.push({ number, status });
    if (changes.length > CHANGES_TOLD_MAX) return resyncOf(copy);
  }
  return { sequence: sequenceOf(copy), changes, resync: false };
}

export class SeatRooms {
  readonly #rooms = new Map<string, Room>();
  #gathering: NodeJS.Timeout | undefined;

  /** `tend` is called for each date that is watched, before its changes are told. */
  constructor(
    private readonly tend: (scheduleId: string) => void,
    private readonly recheckMs = WATCHER_RECHECK_MS,
  ) {}

  isWatched(scheduleId: string): boolean {
    return this.#rooms.has(scheduleId);
  }

  note(copy: SeatCopy, numbers: readonly number[] | null): void {
    this.#rooms.get(copy.scheduleId)?.note(copy, numbers);
  }

  /** `first`: what the watcher has missed, read from the copy in the same turn. */
  enter(copy: SeatCopy, first: SeatsEvent | null, mayWatch: () => Promise<void>): AsyncIterableIterator<SeatsEvent> {
    const room = this.#rooms.get(copy.scheduleId) ?? new Room(copy, this.recheckMs);
    this.#rooms.set(copy.scheduleId, room);
    const watcher: Watcher = new Watcher(performance.now() + jittered(this.recheckMs), mayWatch, () => this.#leave(copy.scheduleId, room, watcher));
    room.watchers.add(watcher);
    if (first) watcher.offer(first);
    if (!this.#gathering) this.#gatherLater();
    return watcher;
  }

  #gatherLater(): void {
    const watchers = [...this.#rooms.values()].reduce((sum, room) => sum + room.watchers.size, 0);
    const turn = (): void => {
      this.#gatherLater();
      this.gather();
    };
    this.#gathering = withoutDeadline(() => setTimeout(turn, gatherMs(watchers)).unref());
  }

  gather(): void {
    for (const [scheduleId, room] of this.#rooms) {
      this.tend(scheduleId);
      room.flush();
      room.recheck();
    }
  }

  #leave(scheduleId: string, room: Room, watcher: Watcher): void {
    room.watchers.delete(watcher);
    if (room.watchers.size === 0 && this.#rooms.get(scheduleId) === room) this.#rooms.delete(scheduleId);
    if (this.#rooms.size > 0) return;
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
  }
}
