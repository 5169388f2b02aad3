import type { EndedReservation } from '../database/repositories/reservation.repository.js';
import type { Counters } from '../domain/counters.js';
import { changeOf } from '../domain/event.js';
import type { DateChanges, SeatChange } from '../domain/seat-change.js';
import { HOLDS_PER_JOB_MAX, type Jobs } from '../redis/jobs.js';
import { topics, type PubSub } from '../redis/pubsub.js';
import type { SeatGate } from '../redis/seat-gate.js';
import type { ToldSeats } from '../redis/told-seats.js';
import { afterCommit } from './after-commit.js';
import type { Held, HoldOrder } from './hold.js';
import type { Paid, PayOrder } from './pay.js';
import type { QueueService } from './queue.service.js';
import type { SeatBoard } from './seat-board.js';

/** What one commit made true. */
export interface Committed {
  held: { order: HoldOrder; held: Held }[];
  paid: { order: PayOrder; paid: Paid }[];
  ended: readonly EndedReservation[];
}

type Steps = Parameters<typeof afterCommit>[1];

/** After the commit: the gate, the seat boards and the owners hear of it, and the end of each hold gets its job. One turn for all that was committed together. */
export class Announcer {
  constructor(
    private readonly gate: SeatGate,
    private readonly jobs: Pick<Jobs, 'addDelayed'>,
    private readonly queue: Pick<QueueService, 'completeAll'>,
    private readonly pubsub: PubSub,
    private readonly board: Pick<SeatBoard, 'tell'>,
    private readonly toldSeats: ToldSeats,
    private readonly counters: Counters,
  ) {}

  async committed({ held, paid, ended }: Committed): Promise<void> {
    const isNew = held.filter(({ held: one }) => one.isNew);
    for (const _ of isNew) this.counters.reservationBecame('HELD');
    for (const _ of paid) this.counters.reservationBecame('CONFIRMED');
    const changed = [...isNew.map(({ held: one }) => one), ...paid.map(({ paid: one }) => one)];
    const [isTold] = await Promise.all([
      afterCommit(this.counters, {
        ...this.#heldSteps(isNew),
        ...this.#repeatedSteps(held.filter(({ held: one }) => !one.isNew)),
        ...this.#paidSteps(paid),
        ...this.#toldSteps(changed.map(({ reservation }) => reservation)),
        ...this.#boardSteps(changed.map(({ reservation, changes }) => changesOf(reservation, changes ?? []))),
      }),
      this.ended(ended),
    ]);
    if (!isTold) return;
    this.toldSeats.note([
      ...isNew.map(({ held: { reservation } }) => changeOf('RESERVATION_HELD', reservation.id)),
      ...paid.map(({ paid: { reservation } }) => changeOf('PAYMENT_MADE', reservation.id)),
    ]);
  }

  /** Reservations that ended, however they ended: the gate lets others at the seats. */
  async ended(ended: readonly EndedReservation[]): Promise<void> {
    if (ended.length === 0) return;
    for (const { status } of ended) this.counters.reservationBecame(status);
    await Promise.all([
      ...ended.map((reservation) => afterCommit(this.counters, { 'gate-free': () => this.gate.free(reservation, reservation.id) })),
      afterCommit(this.counters, { ...this.#toldSteps(ended), ...this.#boardSteps(ended.map((reservation) => changesOf(reservation, reservation.seats))) }),
    ]);
  }

  /** Whoever repeats the call that ended a reservation may be the first to reach the gate: the process of the first may have died after its commit. */
  async endedBefore(ended: EndedReservation | null): Promise<void> {
    if (ended) await afterCommit(this.counters, { 'gate-free': () => this.gate.free(ended, ended.id) });
  }

  /** The gate's entry is counted from when the attempt passed it, so it ends no later than the hold. */
  #heldSteps(held: Committed['held']): Steps {
    if (held.length === 0) return {};
    return {
      'gate-confirm': () => this.gate.confirm(held.map(({ order, held: { remainingMs } }) => ({ ...order, id: order.attemptId, endsAt: order.takenAt + remainingMs }))),
      'hold-expiry-job': () => this.#addJobs(held.map(({ held: one }) => one)),
    };
  }

  /** A repeated reserve gives back what its attempt took: the hold that was found may have been cancelled since, and its entries must not come back. */
  #repeatedSteps(repeated: Committed['held']): Steps {
    if (repeated.length === 0) return {};
    return { 'gate-free': () => Promise.all(repeated.map(({ order }) => this.gate.free(order, order.attemptId))) };
  }

  #paidSteps(paid: Committed['paid']): Steps {
    if (paid.length === 0) return {};
    const ofConcerts = Map.groupBy(paid.map(({ order }) => order.place), ({ concertId }) => concertId);
    return {
      'gate-sold': () => this.gate.sold(paid.map(({ order, paid: { reservation } }) => ({ ...reservation, numbers: order.numbers }))),
      'queue-complete': () => Promise.all([...ofConcerts].map(([concertId, places]) => this.queue.completeAll(concertId, places))),
    };
  }

  #toldSteps(reservations: readonly { id: string; userId: string }[]): Steps {
    if (reservations.length === 0) return {};
    const messages = reservations.map(({ id, userId }) => ({ topic: topics.reservationChanged(userId), message: { reservationId: id } }));
    return { publish: () => this.pubsub.publishAll<'reservationChanged'>(messages) };
  }

  #boardSteps(changes: readonly DateChanges[]): Steps {
    const some = changes.filter(({ seats }) => seats.length > 0);
    return some.length > 0 ? { 'seat-board': () => this.board.tell(some) } : {};
  }

  /** One job for those that end together. */
  async #addJobs(held: readonly Held[]): Promise<void> {
    const together = Map.groupBy(held, ({ reservation }) => reservation.expiresAt.getTime()).values();
    await Promise.all(
      [...together].flatMap((some) => {
        const ids = some.map(({ reservation }) => reservation.id);
        const firsts = Array.from({ length: Math.ceil(ids.length / HOLDS_PER_JOB_MAX) }, (_, turn) => turn * HOLDS_PER_JOB_MAX);
        return firsts.map((first) => {
          const [reservationId, ...besides] = ids.slice(first, first + HOLDS_PER_JOB_MAX);
          return this.jobs.addDelayed('hold-expiry', reservationId!, { reservationId: reservationId!, besides }, some[0]!.remainingMs);
        });
      }),
    );
  }
}

const changesOf = ({ concertId, scheduleId }: { concertId: string; scheduleId: string }, seats: readonly SeatChange[]): DateChanges => ({ concertId, scheduleId, seats });
