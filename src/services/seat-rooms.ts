import { withDeadline, withoutDeadline } from '../domain/deadline.js';
import { RequestError } from '../domain/errors.js';
import { Outlet } from '../domain/outlet.js';
import type { SeatStatus } from '../domain/states.js';
import { jittered } from './jitter.js';
import type { SeatCopy } from './seat-copies.js';

/**
 * Those who watch the seats of one date from this process share gatherings of changes and one event for each, the same object for many, so that it is written down
 * once. Where they are thousands they are told in turns, spread over the time of a gathering: the process has time for others in between. Who reads slowly is given
 * what has gathered since in one event: never more than the date has seats, nor than CHANGES_TOLD_MAX.
 */

/** More at once are told as: read the map again. They would be longer than a socket may have unread (about 40 bytes each), and no shorter than the map. */
export const CHANGES_TOLD_MAX = 10_000;

/** Changes of so long are told together, and several of one seat are one. It only gathers: nothing is decided by it. */
export const GATHER_MS = 100;
/** Telling one watcher takes some 10 µs. Where all of them would take more than a third of the time, changes gather for longer. */
const GATHER_PER_WATCHER_MS = 0.03;
export const GATHER_MAX_MS = 250;
export const gatherMs = (watchers: number): number => Math.min(GATHER_MAX_MS, Math.max(GATHER_MS, watchers * GATHER_PER_WATCHER_MS));
/** Turns in a gathering. More would keep the process from others for less than some 20 ms at a time, and cost more: the kernel wakes who reads for each of few, and once for many. */
export const GROUPS = 3;
/** So few have one turn: more are spread over all of them. */
export const GROUP_FIRST_MAX = 1000;
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

/** One subscription: what it has not taken yet is one event. */
class Watcher extends Outlet<SeatsEvent> {
  #untaken: SeatsEvent | null = null;
  /** By seat number: the changes of `#untaken`, once it is more than one event. Each event is added to it, and nothing is gone through again. */
  #joined: Map<number, SeatChanged> | null = null;

  constructor(
    public recheckAt: number,
    readonly mayWatch: () => Promise<void>,
    private readonly onLeave: (watcher: Watcher) => void,
  ) {
    super();
  }

  offer(event: SeatsEvent): void {
    if (this.isOver) return;
    if (this.#untaken === null) this.#untaken = event;
    else this.#join(this.#untaken, event);
    this.serve();
  }

  /** Told to who takes the next event. */
  fail(error: unknown): void {
    this.end(error);
  }

  protected override take(): SeatsEvent | null {
    const event = this.#joined && this.#untaken ? { ...this.#untaken, changes: [...this.#joined.values()] } : this.#untaken;
    this.#untaken = this.#joined = null;
    return event;
  }

  protected override left(): void {
    this.onLeave(this);
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
}

const byNumber = (changes: readonly SeatChanged[]): Map<number, SeatChanged> => new Map(changes.map((change) => [change.number, change]));

/** Those of a date who are told in the same turn. */
class Group {
  readonly watchers = new Set<Watcher>();
  #changed = new Set<number>();
  #resync = false;

  note(numbers: readonly number[] | null): void {
    if (this.watchers.size === 0) return;
    if (numbers === null) this.#resync = true;
    else for (const number of numbers) this.#changed.add(number);
  }

  /** Each seat as it is now, whatever it was in between. */
  flush(copy: SeatCopy): void {
    if (!this.#resync && this.#changed.size === 0) return;
    const event = this.#resync ? resyncOf(copy) : changesOf(copy, this.#changed);
    this.#resync = false;
    this.#changed = new Set();
    for (const watcher of this.watchers) watcher.offer(event);
  }
}

class Room {
  readonly groups = Array.from({ length: GROUPS }, () => new Group());

  constructor(
    public copy: SeatCopy,
    private readonly recheckMs: number,
  ) {}

  get isEmpty(): boolean {
    return this.groups.every(({ watchers }) => watchers.size === 0);
  }

  /** One after the other is filled before any gets more. */
  groupForNext(): Group {
    const least = this.groups.reduce((one, other) => (other.watchers.size < one.watchers.size ? other : one));
    return this.groups.find(({ watchers }) => watchers.size < GROUP_FIRST_MAX) ?? least;
  }

  note(copy: SeatCopy, numbers: readonly number[] | null): void {
    this.copy = copy;
    for (const group of this.groups) group.note(numbers);
  }

  tell(turn: number): void {
    const group = this.groups[turn]!;
    group.flush(this.copy);
    this.#recheck(group.watchers);
  }

  #recheck(watchers: Iterable<Watcher>): void {
    const now = performance.now();
    for (const watcher of watchers) {
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
  #watchers = 0;
  #turn = 0;
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
    const { watchers } = room.groupForNext();
    const watcher: Watcher = new Watcher(performance.now() + jittered(this.recheckMs), mayWatch, () => {
      watchers.delete(watcher);
      this.#left(copy.scheduleId, room);
    });
    watchers.add(watcher);
    this.#watchers += 1;
    if (first) watcher.offer(first);
    if (!this.#gathering) this.#gatherLater();
    return watcher;
  }

  #gatherLater(): void {
    const tell = (): void => {
      this.#gatherLater();
      this.tellNext();
    };
    this.#gathering = withoutDeadline(() => setTimeout(tell, gatherMs(this.#watchers) / GROUPS).unref());
  }

  /** Those whose turn it is, of every date. */
  tellNext(): void {
    const turn = this.#turn;
    this.#turn = (turn + 1) % GROUPS;
    for (const [scheduleId, room] of this.#rooms) {
      if (turn === 0) this.tend(scheduleId);
      room.tell(turn);
    }
  }

  #left(scheduleId: string, room: Room): void {
    this.#watchers -= 1;
    if (room.isEmpty && this.#rooms.get(scheduleId) === room) this.#rooms.delete(scheduleId);
    if (this.#rooms.size > 0) return;
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
  }
}
