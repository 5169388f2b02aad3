import type { DatabaseSigns } from '../database/pool-watch.js';
import { Schedule } from '../database/entities/schedule.entity.js';
import { storedSeats } from '../database/repositories/seat.repository.js';
import type { Transactions } from '../database/transaction.js';
import { byDeadline, remainingMs, withDeadline } from '../domain/deadline.js';
import { notFound, RequestError } from '../domain/errors.js';
import type { DateChanges } from '../domain/seat-change.js';
import { SeatSnapshot, type StoredSeat } from '../domain/seat-snapshot.js';
import { topics, type Messages, type PubSub } from '../redis/pubsub.js';
import { entryOf, type LogEntry, type LogPosition, type SeatLog } from '../redis/seat-log.js';
import type { SharedCopies } from '../redis/shared-copies.js';
import { within } from '../redis/within.js';
import type { DatabaseClock } from './database-clock.js';
import { jittered } from './jitter.js';

/**
 * This process's copies of the seats of the dates that are asked for. Messages keep them true; so that a lost one only delays, each copy is compared with the
 * log of its date now and then, and read anew less often. Without Redis they are read from the database again and again.
 */

/** So old a copy is compared with the log, in the background; one of which nobody has asked for longer, first. */
export const CHECK_AFTER_MS = 3000;
const UNCHECKED_MAX_MS = 30_000;
/** So old a copy is read anew, in the background: and not before so many times the time that took, so that large dates cost no more than small ones. */
export const RELOAD_AFTER_MS = 10_000;
const RELOAD_COST_FACTOR = 50;
/** So much later where only the number of seats left is asked for: a page of concerts asks for that of many dates whose seats nobody looks at. */
export const COUNTED_RELOAD_LATER_MS = 60_000;
/** While nothing is heard from Redis, a copy is believed so long, or so many times as long as reading it takes. */
export const UNHEARD_MS = 500;
const UNHEARD_COST_FACTOR = 10;
/** Seats in all copies of this process; those that were unused longest go first. About 0.2 kB each. */
export const SEATS_IN_MEMORY_MAX = 500_000;
/** What one asked for and others share has so long. */
const LOAD_MS = 4000;
/** Entries that a copy remembers, for watchers that were away for a moment. */
const RECENT_MAX = 1000;
/** Of a date with more each process reads the seats for itself. */
export const SHARED_SEATS_MAX = 20_000;

export interface SeatCopy {
  readonly scheduleId: string;
  readonly snapshot: SeatSnapshot;
  epoch: string;
  sequence: number;
  /** The numbers of the seats in the last entries, up to `sequence` without a gap. */
  recent: { sequence: number; numbers: number[] }[];
  /** By `performance.now()`. */
  checkAt: number;
  reloadAt: number;
  /** How long the last reading took. */
  costMs: number;
  /** Raised when everything must be read anew; `loaded` is what it was when that began. */
  turn: number;
  loaded: number;
  refreshing: Promise<void> | null;
}

/** What a copy learned: seats that are another status now, or null where everything may be another. */
export type CopyListener = (copy: SeatCopy, numbers: readonly number[] | null) => void;

interface Reading {
  position: LogPosition | null;
  sequence: number;
  seats: StoredSeat[];
}

export class SeatCopies {
  readonly #copies = new Map<string, SeatCopy>();
  readonly #first = new Map<string, Promise<SeatCopy>>();
  #seats = 0;
  #forgotten = 0;
  #deaf = false;
  #listening: Promise<unknown> | null = null;

  constructor(
    private readonly transactions: Transactions,
    private readonly log: SeatLog,
    private readonly shared: SharedCopies,
    private readonly pubsub: PubSub,
    private readonly clock: DatabaseClock,
    private readonly signs: DatabaseSigns,
    private readonly learned: CopyListener,
    private readonly isWatched: (scheduleId: string) => boolean,
    private readonly seatsMax = SEATS_IN_MEMORY_MAX,
  ) {}

  has(scheduleId: string): boolean {
    return this.#copies.has(scheduleId);
  }

  /** True now, as far as anything that was told says. NOT_FOUND without such a date. `isCounted`: its number of seats left is all that is asked for. */
  async get(scheduleId: string, isCounted = false): Promise<SeatCopy> {
    const copy = this.#copies.get(scheduleId);
    if (!copy) return byDeadline(this.#load(scheduleId), remainingMs());
    this.#use(copy);
    const now = performance.now();
    const isWrong = copy.turn !== copy.loaded;
    const first = copy.epoch === '' ? now > copy.checkAt : this.#deaf || now - copy.checkAt > UNCHECKED_MAX_MS;
    const reload = now >= copy.reloadAt + (isCounted ? COUNTED_RELOAD_LATER_MS : 0);
    // What was missed is asked for first, which is little; all is read anew for nobody who waits. While the database is away nothing better can be read.
    if (!this.signs.away && (first || isWrong)) await byDeadline(this.#refresh(copy, false), remainingMs());
    else if (now > copy.checkAt || isWrong) this.#refreshSoon(copy, reload);
    if (first && reload) this.#refreshSoon(copy, performance.now() >= copy.reloadAt);
    this.#settle(copy);
    return copy;
  }

  /** Looks after a copy that is in use without being asked for. */
  tend(scheduleId: string): void {
    const copy = this.#copies.get(scheduleId);
    if (!copy) return;
    this.#settle(copy);
    const now = performance.now();
    if (copy.turn !== copy.loaded || now >= copy.checkAt) this.#refreshSoon(copy, now >= copy.reloadAt);
  }

  /** What this process committed, before anybody was told. */
  apply({ scheduleId, seats }: DateChanges): void {
    const copy = this.#copies.get(scheduleId);
    if (copy) this.#tell(copy, copy.snapshot.apply(seats, this.clock.now()));
  }

  /** Prices or seats were changed by this process. */
  outdate(scheduleId: string): void {
    const copy = this.#copies.get(scheduleId);
    if (copy) this.#outdate(copy);
  }

  /** Messages may be lost from now on, until `hear`. */
  deafen(): void {
    this.#deaf = true;
    this.#retireAll();
  }

  /** Messages come again: what was lost meanwhile is asked for before anything is told. */
  hear(): void {
    this.#deaf = false;
    for (const copy of this.#copies.values()) copy.checkAt = -Infinity;
    this.#retireAll();
  }

  /** Forgets everything, for whoever has changed the database behind all backs. */
  forget(): void {
    for (const copy of [...this.#copies.values()]) {
      if (this.isWatched(copy.scheduleId)) this.#outdate(copy);
      else this.#drop(copy);
    }
    this.#first.clear();
    this.#forgotten += 1;
  }

  async catchUp(copy: SeatCopy): Promise<void> {
    copy.checkAt = -Infinity;
    await byDeadline(this.#refresh(copy, false), remainingMs());
  }

  /** The copies stay: answers that were made from them are made anew. */
  #retireAll(): void {
    for (const copy of this.#copies.values()) copy.snapshot.retire();
  }

  /** Ends the holds that are over by now. */
  #settle(copy: SeatCopy): void {
    const now = this.clock.now();
    if (copy.snapshot.changesAt <= now) this.#tell(copy, copy.snapshot.settle(now));
  }

  #outdate(copy: SeatCopy): void {
    copy.turn += 1;
    copy.snapshot.retire();
  }

  #use(copy: SeatCopy): void {
    this.#copies.delete(copy.scheduleId);
    this.#copies.set(copy.scheduleId, copy);
  }

  #drop(copy: SeatCopy): void {
    if (this.#copies.get(copy.scheduleId) !== copy) return;
    this.#copies.delete(copy.scheduleId);
    this.#seats -= copy.snapshot.size;
    copy.snapshot.retire();
  }

  #load(scheduleId: string): Promise<SeatCopy> {
    const loading = this.#first.get(scheduleId);
    if (loading) return loading;
    const first = withDeadline(LOAD_MS, () => this.#loadFirst(scheduleId)).finally(() => {
      if (this.#first.get(scheduleId) === first) this.#first.delete(scheduleId);
    });
    this.#first.set(scheduleId, first);
    return first;
  }

  /** Listens first and reads then, so that no change falls in between. */
  async #loadFirst(scheduleId: string): Promise<SeatCopy> {
    const forgotten = this.#forgotten;
    await within(this.#listen()).catch(() => undefined);
    const copy: SeatCopy = {
      scheduleId, snapshot: new SeatSnapshot(), epoch: '', sequence: 0, recent: [], checkAt: -Infinity, reloadAt: -Infinity, costMs: 0, turn: 1, loaded: 0, refreshing: null,
    };
    await this.#reload(copy);
    // Forgotten meanwhile: good for who waits, and for nobody after.
    if (forgotten === this.#forgotten) this.#keep(copy);
    await this.#compare(copy);
    this.#settle(copy);
    return copy;
  }

  #keep(copy: SeatCopy): void {
    this.#copies.set(copy.scheduleId, copy);
    this.#seats += copy.snapshot.size;
    for (const oldest of this.#copies.values()) {
      if (this.#seats <= this.seatsMax) break;
      if (oldest !== copy && !this.isWatched(oldest.scheduleId)) this.#drop(oldest);
    }
  }

  #refreshSoon(copy: SeatCopy, reload: boolean): void {
    void this.#refresh(copy, reload).catch(() => undefined);
  }

  #refresh(copy: SeatCopy, reload: boolean): Promise<void> {
    copy.refreshing ??= withDeadline(LOAD_MS, () => this.#refreshNow(copy, reload)).finally(() => (copy.refreshing = null));
    return copy.refreshing;
  }

  async #refreshNow(copy: SeatCopy, reload: boolean): Promise<void> {
    try {
      if (reload || copy.turn !== copy.loaded || copy.epoch === '') await this.#reload(copy);
      await this.#compare(copy);
    } catch (error) {
      // A date that is gone is told of; a database that is away changes nothing, so what is known of it stays true.
      const isGone = error instanceof RequestError && error.code === 'NOT_FOUND';
      if (isGone) {
        this.#tell(copy, null);
        this.#drop(copy);
      }
      if (isGone || !this.signs.away) throw error;
      copy.checkAt = copy.reloadAt = performance.now() + unheardMs(copy);
    }
  }

  /** Compares the copy with the log of its date, and adds what it has missed. */
  async #compare(copy: SeatCopy): Promise<void> {
    for (let attempt = 0; attempt < 3 && copy.epoch !== ''; attempt += 1) {
      const tail = await within(this.log.since(copy.scheduleId, copy.epoch, copy.sequence)).catch(() => null);
      if (tail === null) copy.turn += 1;
      else if (tail.epoch !== copy.epoch || tail.entries === null) copy.turn += 1;
      else for (const entry of tail.entries) this.#enter(copy, entry);
      if (copy.turn === copy.loaded) break;
      await this.#reload(copy);
    }
    copy.checkAt = performance.now() + (copy.epoch === '' ? unheardMs(copy) : jittered(CHECK_AFTER_MS));
  }

  async #reload(copy: SeatCopy): Promise<void> {
    const { turn } = copy;
    const started = performance.now();
    const { position, sequence, seats } = await this.#read(copy.scheduleId);
    const resync = copy.loaded !== turn || copy.epoch !== (position?.epoch ?? '');
    const sizeBefore = copy.snapshot.size;
    const changed = copy.snapshot.load(seats, this.clock.now());
    if (this.#copies.get(copy.scheduleId) === copy) this.#seats += copy.snapshot.size - sizeBefore;
    // Otherwise the entries up to there are still asked for, and told.
    if (resync && (copy.epoch !== (position?.epoch ?? '') || sequence > copy.sequence)) {
      copy.sequence = sequence;
      copy.recent = [];
    }
    copy.epoch = position?.epoch ?? '';
    copy.loaded = turn;
    copy.costMs = performance.now() - started;
    copy.reloadAt = performance.now() + jittered(RELOAD_AFTER_MS) + RELOAD_COST_FACTOR * copy.costMs;
    this.#tell(copy, resync ? null : changed);
  }

  /** The log's position comes before the seats: what they are too old to show is in the log after it. */
  async #read(scheduleId: string): Promise<Reading> {
    const position = await within(this.log.position(scheduleId)).catch(() => null);
    const read = async () => {
      const em = this.transactions.fork();
      await this.clock.look(em);
      const seats = await storedSeats(em, scheduleId);
      if (seats.length === 0 && !(await em.findOne(Schedule, { id: scheduleId, deletedAt: null }, { fields: ['id'] }))) throw notFound('date');
      return { sequence: position?.sequence ?? 0, seats };
    };
    const found = position ? await this.shared.one(`seats:${scheduleId}:${position.epoch}:${position.reset}`, read, ({ seats }) => seats.length <= SHARED_SEATS_MAX) : await read();
    if (!this.clock.isKnown) await this.clock.look(this.transactions.fork());
    return { position, ...found };
  }

  #listen(): Promise<unknown> {
    this.#listening ??= this.pubsub
      .listen<'seatsChanged'>(topics.seatsChanged(), (message) => this.#heard(message))
      .catch((error: unknown) => {
        this.#listening = null;
        throw error;
      });
    return this.#listening;
  }

  #heard(message: Messages['seatsChanged']): void {
    const copy = this.#copies.get(message.scheduleId);
    if (!copy) return;
    if (message.epoch !== copy.epoch) this.#outdate(copy);
    else if (message.sequence <= copy.sequence + 1) this.#enter(copy, entryOf(message));
    else {
      // One was lost.
      this.#tell(copy, copy.snapshot.apply(entryOf(message).changes, this.clock.now()));
      copy.checkAt = -Infinity;
      this.#refreshSoon(copy, false);
    }
  }

  #enter(copy: SeatCopy, { sequence, reset, changes }: LogEntry): void {
    const changed = copy.snapshot.apply(changes, this.clock.now());
    if (sequence !== copy.sequence + 1) return this.#tell(copy, changed);
    copy.sequence = sequence;
    if (reset) {
      copy.recent = [];
      this.#outdate(copy);
      // Now, too: who is given this sequence and goes on from it later is told no more of what came before.
      return this.#tell(copy, null);
    }
    const numbers = changes.map(({ number }) => number);
    if (copy.recent.length >= RECENT_MAX) copy.recent.splice(0, RECENT_MAX / 2);
    copy.recent.push({ sequence, numbers });
    // Also what the copy had before its entry: who came between the two has a map without it, and a sequence from before.
    this.#tell(copy, numbers);
  }

  #tell(copy: SeatCopy, numbers: readonly number[] | null): void {
    if (numbers === null || numbers.length > 0) this.learned(copy, numbers);
  }
}

const unheardMs = ({ costMs }: SeatCopy): number => Math.max(UNHEARD_MS, UNHEARD_COST_FACTOR * costMs);
