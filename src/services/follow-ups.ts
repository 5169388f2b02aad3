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
    const byDate = Map.groupBy(all.filter(({ event }) => seatsOf(event) !== null), ({ event }) => seatsOf(event)!.scheduleId).values();
    await Promise.all([
      ...all.map((one) => this.#try([one], failed, () => this.#follow(one.event))),
      // Once for each date, however many of its reservations changed.
      ...[...byDate].map((some) => this.#try(some, failed, () => this.#reread(some))),
    ]);
    for (const { event, attempts } of failed) {
      if (attempts + 1 < ATTEMPTS_MAX && this.#waiting.length < WAITING_MAX) this.#waiting.push({ event, attempts: attempts + 1 });
    }
  }

  async #try(some: readonly Waiting[], failed: Set<Waiting>, step: () => Promise<void>): Promise<void> {
    try {
      await within(step(), PATIENCE_MS);
    } catch (error) {
      this.counters.followUpFailed('follow-up', error);
      for (const one of some) failed.add(one);
    }
  }

  async #follow(event: OutgoingEvent): Promise<void> {
    const { type, userId, reservationId } = event;
    const step = GATE_STEP[type];
    if (step === undefined || reservationId === null) return;
    const seats = seatsOf(event);
    if (seats && step === 'free') await this.gate.free(seats, reservationId);
    if (seats && step === 'sold') await this.gate.sold([{ ...seats, id: reservationId }]);
    await this.pubsub.publish<'reservationChanged'>(topics.reservationChanged(userId), { reservationId });
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
