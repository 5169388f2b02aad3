import type { Counters } from '../domain/counters.js';
import { changeOf, type EventType, type OutgoingEvent } from '../domain/event.js';
import { Recent } from '../domain/recent.js';
import { topics, type PubSub } from '../redis/pubsub.js';
import type { GateSeats, SeatGate } from '../redis/seat-gate.js';
import type { ToldSeats } from '../redis/told-seats.js';
import { within } from '../redis/within.js';
import type { SeatBoard } from './seat-board.js';

/** A step that fails is tried again by the next runs of the relay, so often. */
const ATTEMPTS_MAX = 5;
/** Those that wait to be tried again; beyond that the gate heals by its own times and watchers by their next message. */
const WAITING_MAX = 1000;
const PATIENCE_MS = 1500;
/** Changes whose event the relay has not come to yet. */
export const TOLD_KNOWN_MAX = 20_000;

interface Waiting {
  event: OutgoingEvent;
  attempts: number;
  /** Gate and seats have heard of it, says who committed it. */
  seatsTold: boolean;
}

/** Of a reservation; its seats are null where nobody need hear of them. */
interface Followed {
  waiting: Waiting;
  userId: string;
  reservationId: string;
  step: GateStep;
  seats: GateSeats | null;
}

/**
 * What follows a commit is done at once by the process that committed, and once more from its event: a process that died in between leaves no seats blocked and
 * nobody untold. Doing it twice, or late, harms nothing: the gate's scripts change only entries of that very reservation, and who was told hears nothing twice.
 * Gate and seats are spared it where that process says that they have heard; owners are not, since a message may be lost although it was sent.
 */
export class FollowUps {
  #waiting: Waiting[] = [];
  readonly #told = new Recent<string, true>(TOLD_KNOWN_MAX);

  constructor(
    private readonly gate: SeatGate,
    private readonly pubsub: PubSub,
    private readonly board: Pick<SeatBoard, 'reread'>,
    private readonly toldSeats: ToldSeats,
    private readonly counters: Counters,
  ) {}

  /** Never fails and never keeps the relay for long. */
  async apply(events: readonly OutgoingEvent[]): Promise<void> {
    await this.#hear();
    await this.#applyAll(events.map((event) => ({ event, attempts: 0, seatsTold: this.#wasTold(event) })));
  }

  /** Those that failed before. */
  again(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    return this.#applyAll(waiting);
  }

  async #hear(): Promise<void> {
    try {
      for (const change of await within(this.toldSeats.take(), PATIENCE_MS)) this.#told.set(change, true);
    } catch (error) {
      this.counters.followUpFailed('follow-up', error);
    }
  }

  #wasTold({ type, reservationId }: OutgoingEvent): boolean {
    if (reservationId === null) return false;
    const change = changeOf(type, reservationId);
    const wasTold = this.#told.get(change) === true;
    if (wasTold) this.#told.delete(change);
    return wasTold;
  }

  async #applyAll(all: readonly Waiting[]): Promise<void> {
    const failed = new Set<Waiting>();
    const followed = all.flatMap((waiting) => followedOf(waiting) ?? []);
    const seated = followed.flatMap((one) => (one.seats ? [{ ...one, seats: one.seats }] : []));
    const to = (step: GateStep) => seated.filter((one) => one.step === step);
    await Promise.all([
      this.#publish(followed),
      this.#try(seated, failed, (some) => this.board.reread(datesOf(some.map(({ seats }) => seats)))),
      this.#try(to('sold'), failed, (sold) => this.gate.sold(sold.map(({ seats, reservationId }) => ({ ...seats, id: reservationId })))),
      this.#try(to('free'), failed, (freed) => Promise.all(freed.map(({ seats, reservationId }) => this.gate.free(seats, reservationId)))),
    ]);
    for (const { event, attempts } of failed) {
      if (attempts + 1 < ATTEMPTS_MAX && this.#waiting.length < WAITING_MAX) this.#waiting.push({ event, attempts: attempts + 1, seatsTold: false });
    }
  }

  async #try<One extends Followed>(some: readonly One[], failed: Set<Waiting>, step: (some: readonly One[]) => Promise<unknown>): Promise<void> {
    if (some.length === 0) return;
    try {
      await within(step(some), PATIENCE_MS);
    } catch (error) {
      this.counters.followUpFailed('follow-up', error);
      for (const { waiting } of some) failed.add(waiting);
    }
  }

  /** A message says which reservation changed, not into what: one for all its changes. */
  async #publish(all: readonly Followed[]): Promise<void> {
    const messages = new Map(all.map(({ userId, reservationId }) => [reservationId, { topic: topics.reservationChanged(userId), message: { reservationId } }]));
    if (messages.size > 0) await this.pubsub.publishAll<'reservationChanged'>([...messages.values()]);
  }
}

function followedOf(waiting: Waiting): Followed | null {
  const { type, userId, reservationId, concertId, payload } = waiting.event;
  const step = GATE_STEP[type];
  if (step === undefined || reservationId === null) return null;
  if (waiting.seatsTold) return { waiting, userId, reservationId, step, seats: null };
  const { scheduleId, seatNumbers } = JSON.parse(payload) as { scheduleId?: string; seatNumbers?: number[] };
  const seats = concertId !== null && scheduleId !== undefined && seatNumbers !== undefined ? { concertId, scheduleId, numbers: seatNumbers } : null;
  return { waiting, userId, reservationId, step, seats };
}

/** Whoever wrote the events may have died before it told of the seats: once for each date, however many of its reservations changed. */
const datesOf = (all: readonly GateSeats[]): GateSeats[] =>
  [...Map.groupBy(all, ({ scheduleId }) => scheduleId).values()].map((some) => ({ ...some[0]!, numbers: [...new Set(some.flatMap(({ numbers }) => numbers))] }));

type GateStep = 'none' | 'free' | 'sold';

/** What a change of a reservation means for its seats at the gate; an event that is not here has no follow-up. A hold's own entry ends by itself. */
const GATE_STEP: { [Type in EventType]?: GateStep } = {
  RESERVATION_HELD: 'none',
  RESERVATION_EXPIRED: 'free',
  RESERVATION_CANCELLED: 'free',
  PAYMENT_MADE: 'sold',
  PAYMENT_REFUNDED: 'free',
};
