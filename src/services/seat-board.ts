import type { SeatReads } from '../database/loaders.js';
import { seatChanges, type SeatsOfDate } from '../database/repositories/seat.repository.js';
import type { DatabaseSigns } from '../database/pool-watch.js';
import type { LastKnown } from '../database/last-known.js';
import type { Transactions } from '../database/transaction.js';
import { RequestError } from '../domain/errors.js';
import type { ReadSet } from '../domain/read-set.js';
import type { DateChanges, SeatChange } from '../domain/seat-change.js';
import type { PubSub } from '../redis/pubsub.js';
import { topics } from '../redis/pubsub.js';
import type { SeatLog } from '../redis/seat-log.js';
import type { SharedCopies } from '../redis/shared-copies.js';
import { within } from '../redis/within.js';
import { DatabaseClock } from './database-clock.js';
import { SeatCopies, type SeatCopy } from './seat-copies.js';
import { SeatCounts } from './seat-counts.js';
import { changesOf, resyncOf, SeatRooms, sequenceOf, type SeatsEvent } from './seat-rooms.js';

/** Answers from a copy that is just being checked. */
const BELIEVED_WHILE_CHECKED_MS = 500;

export interface BoardStores {
  transactions: Transactions;
  log: SeatLog;
  shared: SharedCopies;
  pubsub: PubSub;
  signs: DatabaseSigns;
  lastKnown: LastKnown;
}

interface Told {
  changes: Map<number, SeatChange>;
  done: Promise<void>;
}

/** What every process knows of the seats of the dates that are asked for, kept true by what the processes tell each other. */
export class SeatBoard implements SeatReads {
  readonly #clock = new DatabaseClock();
  readonly #rooms = new SeatRooms((scheduleId) => this.#copies.tend(scheduleId));
  readonly #copies: SeatCopies;
  readonly #counts: SeatCounts;
  /** By date: what is told at the end of this turn of the process. */
  readonly #telling = new Map<string, Told>();
  #subscribing: Promise<unknown> | null = null;
  #isSubscribed = false;
  #isDeaf = false;

  constructor(
    private readonly stores: BoardStores,
    seatsMax?: number,
  ) {
    const { transactions, log, shared, pubsub, signs, lastKnown } = stores;
    this.#copies = new SeatCopies(
      transactions, log, shared, pubsub, this.#clock, signs,
      (copy, numbers) => this.#rooms.note(copy, numbers),
      (scheduleId) => this.#rooms.isWatched(scheduleId),
      seatsMax,
    );
    this.#counts = new SeatCounts(transactions, this.#clock, lastKnown);
  }

  /** After the commit. Telling twice, or late, harms nothing: versions tell what is newer. What is told of a date in one turn of the process is one entry. */
  async tell(changes: readonly DateChanges[]): Promise<void> {
    for (const change of changes) {
      this.#copies.apply(change);
      this.#counts.change(change.scheduleId);
    }
    await Promise.all(changes.filter(({ seats }) => seats.length > 0).map((change) => this.#tellSoon(change)));
  }

  /** For who knows that seats changed and not into what: reads them and tells. */
  async reread(dates: readonly SeatsOfDate[]): Promise<void> {
    await this.tell(await seatChanges(this.stores.transactions.fork(), dates.filter(({ numbers }) => numbers.length > 0)));
  }

  /** After a commit that gave a date other seats or prices. */
  async renew(scheduleIds: readonly string[]): Promise<void> {
    for (const id of scheduleIds) {
      this.#copies.outdate(id);
      this.#counts.forget(id);
    }
    await Promise.all(scheduleIds.map((id) => this.stores.log.reset(id)));
  }

  /** The seats of a date as they are now, until the caller gives the turn back. NOT_FOUND without such a date. */
  async copyOf(scheduleId: string, reads?: ReadSet): Promise<SeatCopy> {
    return this.#copyOf(scheduleId, reads, false);
  }

  async #copyOf(scheduleId: string, reads: ReadSet | undefined, isCounted: boolean): Promise<SeatCopy> {
    const copy = await this.#copies.get(scheduleId, isCounted);
    reads?.depend(copy.snapshot.source, this.#validUntil(copy));
    return copy;
  }

  /** By date: seats that can be reserved now. Nothing is asked of whether the date takes place. */
  async available(scheduleIds: readonly string[], reads?: ReadSet): Promise<number[]> {
    const counted = scheduleIds.filter((id) => !this.#copies.has(id));
    for (const id of counted) if (this.#counts.isRestless(id)) this.#copySoon(id);
    if (counted.length > 0) this.#hear();
    const counts = new Map<string, number>();
    await Promise.all([
      ...scheduleIds.filter((id) => !counted.includes(id)).map(async (id) => counts.set(id, await this.#freeOf(id, reads))),
      counted.length === 0 ? null : this.#counts.of(counted, this.#isSubscribed && !this.#isDeaf, reads).then((found) => counted.forEach((id, index) => counts.set(id, found[index]!))),
    ]);
    return scheduleIds.map((id) => counts.get(id)!);
  }

  /** When that instant of the database's clock is, by `performance.now()`; after any seats were read. */
  localTime(at: Date): number {
    return this.#clock.local(at.getTime());
  }

  /** What happened after `after`, in one event, and then what happens. `mayWatch` rejects for who may no longer. */
  async watch(scheduleId: string, after: string | null, mayWatch: () => Promise<void> = () => Promise.resolve()): Promise<AsyncIterableIterator<SeatsEvent>> {
    const copy = await this.#copies.get(scheduleId);
    // Who begins now is told where that is, to go on from there.
    if (after === null) return this.#rooms.enter(copy, changesOf(copy, []), mayWatch);
    if (after === sequenceOf(copy)) return this.#rooms.enter(copy, this.#overdueOf(copy), mayWatch);
    const missed = await this.#missedBy(copy, after);
    const first = missed === null ? resyncOf(copy) : changesOf(copy, new Set([...missed, ...copy.snapshot.overdue]));
    return this.#rooms.enter(copy, first, mayWatch);
  }

  isWatched(scheduleId: string): boolean {
    return this.#rooms.isWatched(scheduleId);
  }

  /** Messages may be lost from now on, until `hear`. */
  deafen(): void {
    this.#isDeaf = true;
    this.#copies.deafen();
    this.#counts.forgetAll();
  }

  /** They come again. */
  hear(): void {
    this.#isDeaf = false;
    this.#copies.hear();
    this.#counts.forgetAll();
  }

  /** Forgets everything, for whoever has changed the database behind all backs. */
  forget(): void {
    this.#copies.forget();
    this.#counts.forgetAll();
  }

  async #freeOf(id: string, reads?: ReadSet): Promise<number> {
    try {
      return (await this.#copyOf(id, reads, true)).snapshot.available;
    } catch (error) {
      // Deleted meanwhile: nothing is left of it.
      if (error instanceof RequestError && error.code === 'NOT_FOUND') return 0;
      throw error;
    }
  }

  /** Nobody waits for it: until it is there the seats are counted. */
  #copySoon(id: string): void {
    if (this.stores.signs.away) return;
    this.#counts.calm(id);
    void this.#copies.get(id).catch(() => undefined);
  }

  /** A copy that is due is being checked: it is believed a little longer, so that not everybody makes the same answer anew until that is done. */
  #validUntil(copy: SeatCopy): number {
    const mayBeOld = this.#isDeaf || copy.checkAt === -Infinity;
    // Who waits for this very reading may still have it.
    const checked = mayBeOld ? performance.now() : Math.max(copy.checkAt, performance.now() + BELIEVED_WHILE_CHECKED_MS);
    return Math.min(checked, this.#clock.local(copy.snapshot.changesAt));
  }

  #tellSoon({ scheduleId, seats }: DateChanges): Promise<void> {
    let told = this.#telling.get(scheduleId);
    if (!told) {
      const changes = new Map<number, SeatChange>();
      const done = new Promise((resolve) => setImmediate(resolve)).then(() => {
        this.#telling.delete(scheduleId);
        return this.stores.log.tell(scheduleId, [...changes.values()]);
      });
      told = { changes, done };
      this.#telling.set(scheduleId, told);
    }
    for (const seat of seats) if ((told.changes.get(seat.number)?.version ?? -1) < seat.version) told.changes.set(seat.number, seat);
    return told.done;
  }

  /** Null when not all of it is known any more. */
  async #missedBy(copy: SeatCopy, after: string): Promise<Iterable<number> | null> {
    const at = after.lastIndexOf('.');
    const [epoch, sequence] = [after.slice(0, at), Number(after.slice(at + 1))];
    if (!Number.isSafeInteger(sequence) || sequence < 0) return null;
    // Another process has told the client of something that has not come here yet.
    if (epoch !== copy.epoch || sequence > copy.sequence) await this.#copies.catchUp(copy);
    if (epoch !== copy.epoch || epoch === '' || sequence > copy.sequence) return null;
    const recent = recentAfter(copy, sequence);
    if (recent) return recent;
    const tail = await within(this.stores.log.since(copy.scheduleId, epoch, sequence)).catch(() => null);
    if (!tail?.entries || tail.entries.some(({ reset }) => reset)) return null;
    if (tail.sequence > copy.sequence) await this.#copies.catchUp(copy);
    if (copy.epoch !== epoch || copy.sequence < tail.sequence) return null;
    // What came while that was asked is in what the copy remembers.
    return [...tail.entries.flatMap(({ changes }) => changes.map(({ number }) => number)), ...(recentAfter(copy, tail.sequence) ?? [])];
  }

  /** Who is up to date and was told of holds whose end has come since is told so. */
  #overdueOf(copy: SeatCopy): SeatsEvent | null {
    const event = changesOf(copy, copy.snapshot.overdue);
    return event.changes.length > 0 ? event : null;
  }

  /** Not waited for: until it is done numbers are told and not kept. */
  #hear(): void {
    this.#subscribing ??= this.stores.pubsub
      .listen<'seatsChanged'>(topics.seatsChanged(), ({ scheduleId }) => this.#counts.change(scheduleId))
      .then(() => (this.#isSubscribed = true))
      .catch(() => (this.#subscribing = null));
  }
}

/** The seats of the entries after that sequence; null when not all of them are remembered, or one of them was more than a change of seats. */
function recentAfter(copy: SeatCopy, sequence: number): number[] | null {
  if (sequence === copy.sequence) return [];
  const first = copy.recent[0]?.sequence ?? Infinity;
  if (first > sequence + 1) return null;
  return copy.recent.slice(sequence + 1 - first).flatMap(({ numbers }) => numbers);
}
