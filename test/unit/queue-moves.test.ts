import { MoveLog, type LineMoves, type RankedPlace } from '../../src/domain/queue-moves.js';

/** A line that moves at random, as a plain list, with everything that was ever told of it. */
class Line {
  places: number[] = Array.from({ length: 60 }, (_, index) => (index + 1) * 10);
  away: number[] = [];
  version = 0;
  readonly #untold: number[] = [];

  constructor(private readonly random: () => number) {}

  move(): void {
    const pick = (list: number[]): number => list.splice(Math.floor(this.random() * list.length), 1)[0]!;
    const comesBack = this.away.length > 0 && (this.places.length === 0 || this.random() < 0.4);
    const place = pick(comesBack ? this.away : this.places);
    if (comesBack) this.places = [...this.places, place].toSorted((a, b) => a - b);
    else this.away.push(place);
    this.#untold.push(comesBack ? -place : place);
    this.version += 1;
  }

  tell(): LineMoves {
    const moves = this.#untold.splice(0);
    return { epoch: 1, from: this.version - moves.length, to: this.version, moves };
  }

  at(place: number): RankedPlace {
    return { place, rank: this.places.indexOf(place), epoch: 1, version: this.version };
  }
}

/** The same numbers each time. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test.each([1, 2, 3])('Q3: a rank that was known at any moment is moved exactly by what is told afterwards, or is known to be unknown (seed %i)', (seed) => {
  const random = randomOf(seed);
  const line = new Line(random);
  const log = new MoveLog();
  log.add(line.tell());
  let known = line.places.map((place) => line.at(place));
  let moved = 0;
  for (let round = 0; round < 300; round += 1) {
    // Some are read in the middle of what the next message tells.
    for (let count = Math.floor(random() * 4); count >= 0; count -= 1) {
      line.move();
      if (line.places.length > 0) known.push(line.at(line.places[Math.floor(random() * line.places.length)]!));
    }
    log.add(line.tell());
    known = known.flatMap((one) => {
      const rank = log.rankOf(one);
      if (rank === null) return [];
      expect({ place: one.place, rank }).toEqual({ place: one.place, rank: line.places.indexOf(one.place) });
      moved += rank === one.rank ? 0 : 1;
      return [random() < 0.7 ? { ...one, rank, version: line.version } : one];
    });
  }
  expect(moved).toBeGreaterThan(1000);
});

test('Q3: what was told to nobody, another epoch and a place that moved itself make a rank unknown; one that is known later than the log keeps it', () => {
  const log = new MoveLog();
  log.add({ epoch: 1, from: 5, to: 7, moves: [10, 20] });
  const at = (version: number, epoch = 1, place = 30) => log.rankOf({ place, rank: 9, epoch, version });
  expect([at(5), at(6), at(7), at(8), at(4), at(7, 0), at(0, 2)]).toEqual([7, 8, 9, 9, null, null, 9]);
  expect([at(5, 1, 10), at(5, 1, 20)]).toEqual([null, null]);
  log.add({ epoch: 1, from: 8, to: 9, moves: [1] });
  expect([at(7), at(8), at(9)]).toEqual([null, 8, 9]);
  log.add({ epoch: 1, from: 5, to: 7, moves: [10, 20] });
  expect(at(8)).toBe(8);
  log.add({ epoch: 2, from: 0, to: 0, moves: [] });
  expect([at(9), at(0, 2)]).toEqual([null, 9]);
});
