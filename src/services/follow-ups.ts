import type { Counters } from '../domain/counters.js';
import type { EventType, OutgoingEvent } from '../domain/event.js';
import { topics, type PubSub } from '../redis/pubsub.js';
import type { GateSeats, SeatGate } from '../redis/seat-gate.js';
import { within } from '../redis/within.js';
import type { SeatBoard } from './seat-board.js';

/** A step that fails is tried again by the next runs of the relay, so often. */
const ATTEMPTS_MAX = 5;
/** Those that wait to be tried again; beyond that the gate heals by its own times and watchers by their next message. */
const WAITING_MAX = 1000;
const PATIENCE_MS = 1500;

interface Waiting {
  event: OutgoingEvent;
  attempts: number;
}

/**
 * What follows a commit is done at once by the process that committed, and once more from its event: a process that died in between leaves no seats blocked and
 * nobody untold. Doing it twice, or late, harms nothing: the gate's scripts change only entries of that very reservation, and who was told hears nothing twice.
 */
export class FollowUps {
  #waiting: Waiting[] = [];

  constructor(
    private readonly gate: SeatGate,
    private readonly pubsub: PubSub,
    private readonly board: Pick<SeatBoard, 'reread'>,
    private readonly counters: Counters,
  ) {}

  /** Never fails and never keeps the relay for long. */
  apply(events: readonly OutgoingEvent[]): Promise<void> {
    return this.#applyAll(events.map((event) => ({ event, attempts: 0 })));
  }

  /** Those that failed before. */
  again(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    return this.#applyAll(waiting);
  }

  async #applyAll(all: readonly Waiting[]): Promise<void> {
    const failed = new Set<Waiting>();
    const followed = all.filter(({ event }) => GATE_STEP[event.type] !== undefined && event.reservationId !== null);
    const byDate = Map.groupBy(followed.filter(({ event }) => seatsOf(event) !== null), ({ event }) => seatsOf(event)!.scheduleId).values();
    await Promise.all([
      this.#publish(followed),
      // Once for each date, however many of its reservations changed.
      ...[...byDate].flatMap((some) => [
        this.#try(some, failed, () => this.#reread(some)),
        this.#trySome(some, 'sold', failed, (sold) => this.gate.sold(sold.map(({ event }) => ({ ...seatsOf(event)!, id: event.reservationId! })))),
        this.#trySome(some, 'free', failed, (freed) => Promise.all(freed.map(({ event }) => this.gate.free(seatsOf(event)!, event.reservationId!)))),
      ]),
    ]);
    for (const { event, attempts } of failed) {
      if (attempts + 1 < ATTEMPTS_MAX && this.#waiting.length < WAITING_MAX) this.#waiting.push({ event, attempts: attempts + 1 });
    }
  }

  async #try(some: readonly Waiting[], failed: Set<Waiting>, step: () => Promise<unknown>): Promise<void> {
    try {
      await within(step(), PATIENCE_MS);
    } catch (error) {
      this.counters.followUpFailed('follow-up', error);
      for (const one of some) failed.add(one);
    }
  }

  async #trySome(all: readonly Waiting[], gateStep: 'sold' | 'free', failed: Set<Waiting>, step: (some: readonly Waiting[]) => Promise<unknown>): Promise<void> {
    const some = all.filter(({ event }) => GATE_STEP[event.type] === gateStep);
    if (some.length > 0) await this.#try(some, failed, () => step(some));
  }

  async #publish(all: readonly Waiting[]): Promise<void> {
    const messages = all.map(({ event: { userId, reservationId } }) => ({ topic: topics.reservationChanged(userId), message: { reservationId: reservationId! } }));
    if (messages.length > 0) await this.pubsub.publishAll<'reservationChanged'>(messages);
  }

  /** Whoever wrote the events may have died before it told of the seats. */
  #reread(some: readonly Waiting[]): Promise<void> {
    const { concertId, scheduleId } = seatsOf(some[0]!.event)!;
    return this.board.reread(concertId, scheduleId, [...new Set(some.flatMap(({ event }) => seatsOf(event)!.numbers))]);
  }
}

/** The seats whose status changed with an event; null where none did. */
function seatsOf({ type, concertId, payload }: OutgoingEvent): GateSeats | null {
  if (GATE_STEP[type] === undefined || concertId === null) return null;
  const { scheduleId, seatNumbers } = JSON.parse(payload) as { scheduleId?: string; seatNumbers?: number[] };
  return scheduleId !== undefined && seatNumbers !== undefined ? { concertId, scheduleId, numbers: seatNumbers } : null;
}

/** What a change of a reservation means for its seats at the gate; an event that is not here has no follow-up. A hold's own entry ends by itself. */
const GATE_STEP: { [Type in EventType]?: 'none' | 'free' | 'sold' } = {
  RESERVATION_HELD: 'none',
  RESERVATION_EXPIRED: 'free',
  RESERVATION_CANCELLED: 'free',
  PAYMENT_MADE: 'sold',
  PAYMENT_REFUNDED: 'free',
};
