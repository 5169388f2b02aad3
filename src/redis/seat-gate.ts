import type { Redis } from 'ioredis';
import { keys } from './keys.js';
import { MicroBatch } from './micro-batch.js';
import { Script } from './script.js';
import type { ServerRun } from './server-run.js';
import { orUnavailable } from './unavailable.js';

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
const ATTEMPTS_PER_CALL_MAX = 64;
/** Lists of reservations that share a call; each is what was committed together. */
const KEPT_TOGETHER = 4;
const take = new Script<[number, ...number[][]]>('seat-take');
const keep = new Script<number>('seat-keep');
const free = new Script<number>('seat-free');
const learn = new Script<number>('seat-learn');

/** What the entries of a reservation become. */
interface Kept extends KeptSeats {
  value: string;
  ends: number | string;
}

export class SeatGate {
  /** Attempts of one turn of the process, by concert. */
  readonly #takes = new MicroBatch<Attempt, Taken>((_, attempts) => orUnavailable(this.#takeTogether(attempts)), ATTEMPTS_PER_CALL_MAX);
  /** Holds and sales of one turn of the process, by concert. */
  readonly #keeps = new MicroBatch<readonly Kept[], void>(async (_, kept) => {
    await this.#keepTogether(kept.flat());
    return kept.map(() => undefined);
  }, KEPT_TOGETHER);

  constructor(
    private readonly redis: Redis,
    private readonly run: ServerRun,
  ) {}

  /** All seats or none. Entries of the same user let pass: the database tells a repeated reserve from a second one. Those that come in one turn share a call. Redis that is away is SERVICE_UNAVAILABLE. */
  take(attempt: Attempt): Promise<Taken> {
    return this.#takes.ask(attempt.concertId, attempt);
  }

  async #takeTogether(attempts: readonly Attempt[]): Promise<Taken[]> {
    const { names, indexOf } = await this.#gatesOf(attempts);
    const asked = attempts.flatMap(({ scheduleId, userId, attemptId, numbers }) => [indexOf(scheduleId), userId, attemptId, numbers.length, ...numbers]);
    const [takenAt, ...replies] = await take.run(this.redis, names, [PENDING_MS, GATE_KEPT_MS, ...asked]);
    return replies.map((taken) => ({ taken, takenAt }));
  }

  /** These attempts were committed as holds. */
  confirm(holds: readonly ConfirmedSeats[]): Promise<void> {
    return this.#keep(holds.map(({ userId, id, endsAt, ...seats }) => ({ ...seats, id, value: `${userId}|${id}`, ends: Math.floor(endsAt) })));
  }

  sold(sales: readonly KeptSeats[]): Promise<void> {
    return this.#keep(sales.map(({ id, ...seats }) => ({ ...seats, id, value: `${NOBODY}|${id}`, ends: `+${SOLD_BELIEVED_MS}` })));
  }

  async #keep(all: readonly Kept[]): Promise<void> {
    const ofConcerts = Map.groupBy(all, ({ concertId }) => concertId);
    await Promise.all([...ofConcerts].map(([concertId, kept]) => this.#keeps.ask(concertId, kept)));
  }

  async #keepTogether(kept: readonly Kept[]): Promise<void> {
    const { names, indexOf } = await this.#gatesOf(kept);
    await keep.run(this.redis, names, kept.flatMap(({ scheduleId, id, value, ends, numbers }) => [indexOf(scheduleId), id, value, ends, numbers.length, ...numbers]));
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

  /** Gates of one concert, and which of them, from 1, is that of a date. */
  async #gatesOf(all: readonly GateSeats[]): Promise<{ names: string[]; indexOf: (scheduleId: string) => number }> {
    const run = await this.run.current();
    const indexes = new Map<string, number>();
    const names: string[] = [];
    for (const { concertId, scheduleId } of all) {
      if (!indexes.has(scheduleId)) indexes.set(scheduleId, names.push(keys.seatGate(run, concertId, scheduleId)));
    }
    return { names, indexOf: (scheduleId) => indexes.get(scheduleId)! };
  }

  async #keyOf({ concertId, scheduleId }: GateSeats): Promise<string[]> {
    return [keys.seatGate(await this.run.current(), concertId, scheduleId)];
  }
}
