import type { Redis } from 'ioredis';
import { keys } from './keys.js';
import { Script } from './script.js';
import type { ServerRun } from './server-run.js';

/**
 * Keeps the crowd away from the database: of all who ask for a seat at once one passes, the others are turned away here. It may forget or
 * be late, never the other way round: an entry ends no later than the hold it stands for, no entry outlives the run of the server, and the database decides.
 */

/** Seats of one date. */
export interface GateSeats {
  concertId: string;
  scheduleId: string;
  numbers: readonly number[];
}

/** One try to reserve; its id becomes the reservation's when it succeeds. */
export interface Attempt extends GateSeats {
  userId: string;
  attemptId: string;
}

export interface Taken {
  /** Seats that are held or sold; empty when the attempt may go on. */
  taken: number[];
  /** Redis's clock when the attempt passed. What the database says is counted from here, so that no entry outlives its row. */
  takenAt: number;
}

/** Seats whose entries are to stay longer. */
export interface KeptSeats extends GateSeats {
  /** The attempt or reservation that has them. */
  id: string;
}

/** An attempt that was committed as the hold of its id; `endsAt` is by Redis's clock. */
export interface ConfirmedSeats extends KeptSeats {
  userId: string;
  endsAt: number;
}

/** A seat that the database found taken: by whom, and for how long from the attempt on; null when it is sold. */
export interface LearnedSeat {
  number: number;
  userId: string;
  reservationId: string;
  remainingMs: number | null;
}

/** An attempt whose process died gives its seats back after this. */
const PENDING_MS = 10_000;
/** A hold that was read in the database is believed this long: it may have been given back since. */
const LEARNED_HOLD_MS = 1000;
/**
 * A sale is believed this long, then one buyer asks the database and teaches the gate again. A refund frees the seat at once; where that was lost, or
 * a reader came just before it, the seat is back after this. The price: of a sold-out date one buyer per seat in this time reaches the database.
 */
const SOLD_BELIEVED_MS = 10_000;
/** Longer than any hold; what an earlier run of the server has left is gone after it. */
const GATE_KEPT_MS = 2 * 86_400_000;

const SOLD = 'SOLD';
/** Holder of what is sold: no user has this id, so the entry lets nobody pass, its buyer neither. */
const NOBODY = '';
/** Attempts of one call: Redis serves others between two calls. */
export const ATTEMPTS_PER_CALL_MAX = 64;
const take = new Script<[number, ...number[][]]>('seat-take');
const keep = new Script<number>('seat-keep');
const free = new Script<number>('seat-free');
const learn = new Script<number>('seat-learn');

interface Waiting {
  attempt: Attempt;
  resolve: (taken: Taken) => void;
  reject: (error: unknown) => void;
}

export class SeatGate {
  /** Attempts of this turn of the process, by date. */
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(
    private readonly redis: Redis,
    private readonly run: ServerRun,
  ) {}

  /** All seats or none. Entries of the same user let pass: the database tells a repeated reserve from a second one. Those that come in one turn share a call. */
  take(attempt: Attempt): Promise<Taken> {
    return new Promise((resolve, reject) => {
      const { scheduleId } = attempt;
      const waiting = this.#waiting.get(scheduleId);
      if (waiting) return void waiting.push({ attempt, resolve, reject });
      this.#waiting.set(scheduleId, [{ attempt, resolve, reject }]);
      setImmediate(() => {
        const all = this.#waiting.get(scheduleId)!;
        this.#waiting.delete(scheduleId);
        for (let first = 0; first < all.length; first += ATTEMPTS_PER_CALL_MAX) void this.#takeTogether(all.slice(first, first + ATTEMPTS_PER_CALL_MAX));
      });
    });
  }

  async #takeTogether(waiting: readonly Waiting[]): Promise<void> {
    try {
      const attempts = waiting.flatMap(({ attempt: { userId, attemptId, numbers } }) => [userId, attemptId, numbers.length, ...numbers]);
      const [takenAt, ...replies] = await take.run(this.redis, await this.#keyOf(waiting[0]!.attempt), [PENDING_MS, GATE_KEPT_MS, ...attempts]);
      waiting.forEach(({ resolve }, index) => resolve({ taken: replies[index]!, takenAt }));
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }

  /** These attempts were committed as holds. */
  async confirm(holds: readonly ConfirmedSeats[]): Promise<void> {
    await this.#keep(holds, ({ userId, id, endsAt }) => [`${userId}|${id}`, Math.floor(endsAt)]);
  }

  async sold(sales: readonly KeptSeats[]): Promise<void> {
    await this.#keep(sales, ({ id }) => [`${NOBODY}|${id}`, `+${SOLD_BELIEVED_MS}`]);
  }

  /** One call for each date. */
  async #keep<Seats extends KeptSeats>(all: readonly Seats[], become: (seats: Seats) => [string, string | number]): Promise<void> {
    const byDate = Map.groupBy(all, ({ scheduleId }) => scheduleId).values();
    await Promise.all(
      [...byDate].map(async (ofDate) => {
        const args = ofDate.flatMap((seats) => [seats.id, ...become(seats), seats.numbers.length, ...seats.numbers]);
        await keep.run(this.redis, await this.#keyOf(ofDate[0]!), args);
      }),
    );
  }

  /** The entries of this hold or attempt end; anyone else's stay. */
  async free(seats: GateSeats, id: string): Promise<void> {
    await free.run(this.redis, await this.#keyOf(seats), [id, ...seats.numbers]);
  }

  async learn(attempt: Attempt, takenAt: number, seats: readonly LearnedSeat[]): Promise<void> {
    const found = seats.flatMap(({ number, userId, reservationId, remainingMs }) =>
      remainingMs === null
        ? [number, `${NOBODY}|${reservationId}`, SOLD_BELIEVED_MS, SOLD]
        : [number, `${userId}|${reservationId}`, LEARNED_HOLD_MS, Math.floor(takenAt + remainingMs)],
    );
    await learn.run(this.redis, await this.#keyOf(attempt), [attempt.attemptId, ...found]);
  }

  async #keyOf({ concertId, scheduleId }: GateSeats): Promise<string[]> {
    return [keys.seatGate(await this.run.current(), concertId, scheduleId)];
  }
}
