import type { ReadSource } from './read-set.js';
import type { SeatChange } from './seat-change.js';
import type { SeatStatus } from './states.js';

/** A seat as it is told. Never changed in its place: an answer that is still being written keeps what it began with. */
export interface SeatRow {
  id: string;
  number: number;
  section: string;
  row: string;
  grade: string;
  price: number;
  status: SeatStatus;
}

/** A seat as the database has it. */
export interface StoredSeat extends SeatRow {
  version: number;
  /** Ms of the database's clock; null unless HELD. */
  heldUntil: number | null;
}

export interface SeatFilter {
  status: SeatStatus | null;
  section: string | null;
  first: number | null;
  afterNumber: number | null;
}

const NEVER = Infinity;
/** Ends of holds that are remembered. */
const ENDS_PER_SEAT_MAX = 4;

/**
 * All seats of one date as this process knows them. What has the higher version is newer, whichever way it came; a hold counts until its end by the
 * database's clock, which whoever reads passes in, so `settle` comes before each reading.
 */
export class SeatSnapshot {
  readonly #state = { version: 0 };
  #rows: SeatRow[] = [];
  /** Somebody has the array of rows as it is: it is changed in a copy. */
  #isTaken = false;
  #versions = new Uint32Array(0);
  /** Of seats that are HELD by the row: when that ends. */
  #heldUntil = new Float64Array(0);
  /** Seat number → place in the arrays, one more than it; 0: no such seat. */
  #places = new Uint32Array(0);
  #sections = new Map<string, SeatRow['number'][]>();
  #available = 0;
  #ends = new EarliestFirst();
  /** Seats whose hold is over by the clock while their row still says HELD. */
  readonly #overdue = new Set<number>();

  /** What answers that were read from it depend on: one that is kept, however small, does not keep all the seats in memory. */
  get source(): ReadSource {
    return this.#state;
  }

  get version(): number {
    return this.#state.version;
  }

  get size(): number {
    return this.#rows.length;
  }

  /** Seats that can be reserved now. */
  get available(): number {
    return this.#available;
  }

  /** When time alone changes it next, by the database's clock. */
  get changesAt(): number {
    return this.#ends.earliest;
  }

  /** Seats whose hold is over and has not been told of as given back. */
  get overdue(): Iterable<number> {
    return this.#overdue;
  }

  /** Answers the numbers of seats that changed, or null where these are other seats than before. A seat that is known newer stays as it is known. */
  load(seats: readonly StoredSeat[], now: number): number[] | null {
    if (!this.#isSame(seats)) {
      this.#replace(seats);
      this.settle(now);
      return null;
    }
    const changed: number[] = [];
    seats.forEach((seat, place) => {
      const row = this.#rows[place]!;
      if (row.price !== seat.price || row.grade !== seat.grade || row.section !== seat.section || row.row !== seat.row) {
        this.#own()[place] = { ...row, price: seat.price, grade: seat.grade, section: seat.section, row: seat.row };
        this.#state.version += 1;
      }
      if (seat.version >= this.#versions[place]! && this.#put(place, seat.status, seat.version, seat.heldUntil, now)) changed.push(seat.number);
    });
    if (changed.length > 0) this.#state.version += 1;
    return [...changed, ...this.settle(now)];
  }

  /** Answers the numbers of seats that are another status now. */
  apply(changes: readonly SeatChange[], now: number): number[] {
    const changed: number[] = [];
    for (const { number, status, version, heldUntil } of changes) {
      const place = (this.#places[number] ?? 0) - 1;
      if (place < 0 || version <= this.#versions[place]!) continue;
      if (this.#put(place, status, version, heldUntil?.getTime() ?? null, now)) changed.push(number);
    }
    if (changed.length > 0) this.#state.version += 1;
    return changed;
  }

  /** Ends the holds that are over. Answers their seats. */
  settle(now: number): number[] {
    const ended: number[] = [];
    while (this.#ends.earliest <= now) {
      const { place, at } = this.#ends.take();
      // Held anew, or sold, since.
      if (this.#heldUntil[place] !== at || this.#rows[place]!.status !== 'HELD') continue;
      this.#show(place, 'AVAILABLE');
      this.#overdue.add(this.#rows[place]!.number);
      ended.push(this.#rows[place]!.number);
    }
    if (ended.length > 0) this.#state.version += 1;
    return ended;
  }

  /** Dropped, or known to be wrong: what was read from it is out of date. */
  retire(): void {
    this.#state.version += 1;
  }

  statusOf(number: number): SeatStatus | null {
    const place = (this.#places[number] ?? 0) - 1;
    return place < 0 ? null : this.#rows[place]!.status;
  }

  /** Whatever comes after, the answer stays as it is. */
  seats({ status, section, first, afterNumber }: SeatFilter): readonly SeatRow[] {
    if (section === null && status === null && first === null && afterNumber === null) {
      this.#isTaken = true;
      return this.#rows;
    }
    const places = section === null ? null : (this.#sections.get(section) ?? []);
    const length = places === null ? this.#rows.length : places.length;
    const at = (index: number): SeatRow => this.#rows[places === null ? index : places[index]!]!;
    const found: SeatRow[] = [];
    for (let index = firstAfter(length, at, afterNumber ?? -1); index < length && (first === null || found.length < first); index += 1) {
      const row = at(index);
      if (status === null || row.status === status) found.push(row);
    }
    return found;
  }

  #isSame(seats: readonly StoredSeat[]): boolean {
    return seats.length === this.#rows.length && seats.every((seat, place) => this.#rows[place]!.id === seat.id);
  }

  #replace(seats: readonly StoredSeat[]): void {
    const known = new Map<string, string>();
    const shared = (text: string): string => known.get(text) ?? (known.set(text, text), text);
    const before = new Map(this.#rows.map((row, place) => [row.id, { version: this.#versions[place]!, heldUntil: this.#heldUntil[place]!, status: this.#storedStatus(place) }]));
    this.#versions = new Uint32Array(seats.length);
    this.#heldUntil = new Float64Array(seats.length).fill(NEVER);
    this.#places = new Uint32Array((seats.at(-1)?.number ?? 0) + 1);
    this.#sections = new Map();
    this.#ends = new EarliestFirst();
    this.#overdue.clear();
    this.#available = 0;
    this.#isTaken = false;
    this.#rows = seats.map(({ id, number, section, row, grade, price, status }, place) => {
      this.#places[number] = place + 1;
      const ofSection = this.#sections.get(section);
      if (ofSection) ofSection.push(place);
      else this.#sections.set(shared(section), [place]);
      if (status === 'AVAILABLE') this.#available += 1;
      return { id, number, section: shared(section), row: shared(row), grade: shared(grade), price, status };
    });
    seats.forEach((seat, place) => {
      const old = before.get(seat.id);
      if (old && old.version > seat.version) this.#put(place, old.status, old.version, old.heldUntil === NEVER ? null : old.heldUntil, -Infinity);
      else this.#put(place, seat.status, seat.version, seat.heldUntil, -Infinity);
    });
    this.#state.version += 1;
  }

  #storedStatus(place: number): SeatStatus {
    const { number, status } = this.#rows[place]!;
    return this.#overdue.has(number) ? 'HELD' : status;
  }

  /** True when the seat is told as another than before. */
  #put(place: number, status: SeatStatus, version: number, heldUntil: number | null, now: number): boolean {
    this.#versions[place] = version;
    const ends = status === 'HELD' ? (heldUntil ?? NEVER) : NEVER;
    const row = this.#rows[place]!;
    if (status === 'HELD' && ends <= now) {
      this.#overdue.add(row.number);
    } else {
      this.#overdue.delete(row.number);
      if (ends !== NEVER && (this.#heldUntil[place] !== ends || row.status !== 'HELD')) this.#ends.add(ends, place);
    }
    this.#heldUntil[place] = ends;
    const isOther = this.#show(place, status === 'HELD' && ends <= now ? 'AVAILABLE' : status);
    if (this.#ends.size > ENDS_PER_SEAT_MAX * this.#rows.length) this.#tidyEnds();
    return isOther;
  }

  /** Holds that were given back before their end leave it behind. */
  #tidyEnds(): void {
    this.#ends = new EarliestFirst();
    this.#rows.forEach(({ status }, place) => {
      if (status === 'HELD' && this.#heldUntil[place] !== NEVER) this.#ends.add(this.#heldUntil[place]!, place);
    });
  }

  #show(place: number, status: SeatStatus): boolean {
    const row = this.#rows[place]!;
    if (row.status === status) return false;
    if (row.status === 'AVAILABLE') this.#available -= 1;
    if (status === 'AVAILABLE') this.#available += 1;
    this.#own()[place] = { ...row, status };
    return true;
  }

  #own(): SeatRow[] {
    if (this.#isTaken) this.#rows = this.#rows.slice();
    this.#isTaken = false;
    return this.#rows;
  }
}

/** By halving: the seats are in the order of their numbers. */
function firstAfter(length: number, at: (index: number) => SeatRow, number: number): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(middle).number > number) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** A heap of instants: many holds end one after the other, and nobody looks through all of them. */
class EarliestFirst {
  readonly #heap: { at: number; place: number }[] = [];

  get size(): number {
    return this.#heap.length;
  }

  get earliest(): number {
    return this.#heap[0]?.at ?? NEVER;
  }

  add(at: number, place: number): void {
    const heap = this.#heap;
    let index = heap.push({ at, place }) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (heap[parent]!.at <= heap[index]!.at) return;
      [heap[parent], heap[index]] = [heap[index]!, heap[parent]!];
      index = parent;
    }
  }

  take(): { at: number; place: number } {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    heap[0] = last;
    for (let index = 0; ; ) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2]) if (child < heap.length && heap[child]!.at < heap[least]!.at) least = child;
      if (least === index) return top;
      [heap[index], heap[least]] = [heap[least]!, heap[index]!];
      index = least;
    }
  }
}
