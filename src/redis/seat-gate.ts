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
const take = new Script<['FREE', number] | ['TAKEN', ...number[]]>('seat-take');
const keep = new Script<number>('seat-keep');
const free = new Script<number>('seat-free');
const learn = new Script<number>('seat-learn');

export class SeatGate {
  constructor(
    private readonly redis: Redis,
    private readonly run: ServerRun,
  ) {}

  /** All seats or none. Entries of the same user let pass: the database tells a repeated reserve from a second one. */
  async take(attempt: Attempt): Promise<Taken> {
    const reply = await take.run(this.redis, await this.#keyOf(attempt), [attempt.userId, attempt.attemptId, PENDING_MS, GATE_KEPT_MS, ...attempt.numbers]);
    return reply[0] === 'FREE' ? { taken: [], takenAt: reply[1] } : { taken: reply.slice(1) as number[], takenAt: 0 };
  }

  /** The attempt was committed as this hold; `endsAt` is by Redis's clock. */
  async confirm(attempt: Attempt, reservationId: string, endsAt: number): Promise<void> {
    await keep.run(this.redis, await this.#keyOf(attempt), [attempt.attemptId, `${attempt.userId}|${reservationId}`, Math.floor(endsAt), ...attempt.numbers]);
  }

  async sold(seats: GateSeats, reservationId: string): Promise<void> {
    await keep.run(this.redis, await this.#keyOf(seats), [reservationId, `${NOBODY}|${reservationId}`, `+${SOLD_BELIEVED_MS}`, ...seats.numbers]);
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
