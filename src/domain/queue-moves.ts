/**
 * How a line moved: whoever knows a rank at one moment knows it at every later one, exactly, by the places that have left the line since and those that
 * came back into it. New places stand behind all others and move nobody.
 */

export interface LineMoves {
  /** Of the queue: each recovery begins a new one, and with it the count of moves. */
  epoch: number;
  /** How often the line had moved before these moves, and with them. */
  from: number;
  to: number;
  /** In their order: a place that left, or minus one that was taken again. */
  moves: readonly number[];
}

/** A rank counts from 0 and is true at one moment of the line. */
export interface RankedPlace {
  place: number;
  rank: number;
  epoch: number;
  version: number;
}

/** Of a rank that is not known, and of a line that nothing is known of. */
export const UNKNOWN_LINE = -1;

/** Enough for a reading of Redis that is overtaken by messages. */
const BATCHES_KEPT = 8;

export class MoveLog {
  #batches: Batch[] = [];
  epoch = UNKNOWN_LINE;
  version = UNKNOWN_LINE;

  add({ epoch, from, to, moves }: LineMoves): void {
    if (epoch < this.epoch || (epoch === this.epoch && to < this.version)) return;
    if (epoch !== this.epoch || from !== this.version) this.#batches = [];
    this.epoch = epoch;
    this.version = to;
    if (moves.length > 0) this.#batches.push(new Batch(from, moves));
    if (this.#batches.length > BATCHES_KEPT) this.#batches.shift();
  }

  /** Whether one moment of the line is before another. */
  isBehind(line: Pick<RankedPlace, 'epoch' | 'version'>): boolean {
    return this.epoch < line.epoch || (this.epoch === line.epoch && this.version < line.version);
  }

  /** The rank now, where the place was known later than this log reaches the rank it had; null: to be read anew, moves are missing or the place itself is among them. */
  rankOf({ place, rank, epoch, version }: RankedPlace): number | null {
    if (epoch !== this.epoch) return epoch > this.epoch ? rank : null;
    if (version >= this.version) return rank;
    let moved = rank;
    let reached = version;
    for (const batch of this.#batches) {
      if (batch.to <= reached) continue;
      if (batch.from > reached || batch.concerns(place)) return null;
      moved += batch.shiftOf(place, reached);
      reached = batch.to;
    }
    return reached === this.version ? moved : null;
  }
}

class Batch {
  readonly to: number;
  readonly #left: Float64Array;
  readonly #back: Float64Array;

  constructor(
    readonly from: number,
    private readonly moves: readonly number[],
  ) {
    this.to = from + moves.length;
    this.#left = Float64Array.from(moves.filter((place) => place >= 0)).sort();
    this.#back = Float64Array.from(moves.flatMap((place) => (place < 0 ? [-place] : []))).sort();
  }

  concerns(place: number): boolean {
    return this.#left[countBelow(this.#left, place)] === place || this.#back[countBelow(this.#back, place)] === place;
  }

  /** By how much the rank of a place grows with the moves after `version`. */
  shiftOf(place: number, version: number): number {
    if (version <= this.from) return countBelow(this.#back, place) - countBelow(this.#left, place);
    let shift = 0;
    for (let index = version - this.from; index < this.moves.length; index += 1) {
      const moved = this.moves[index]!;
      if (Math.abs(moved) < place) shift += moved < 0 ? 1 : -1;
    }
    return shift;
  }
}

/** How many of the sorted places are before this one. */
function countBelow(sorted: Float64Array, place: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < place) low = middle + 1;
    else high = middle;
  }
  return low;
}
