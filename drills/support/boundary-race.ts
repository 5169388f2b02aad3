import type { Transactions } from '../../src/database/transaction.js';
import type { DrillRun } from '../drill.js';
import type { BuiltConcert } from '../../test/support/builder.js';
import type { Aim, DatabaseClock } from './aim.js';
import type { DrillBuyer } from './buyer.js';
import type { BuyerPool } from './buyer-pool.js';
import type { Reply } from './client.js';
import type { Judgements } from './judgements.js';
import type { Violation } from './model.js';

/** One payment that was sent at the end of its hold, while others were after the same seat. Times are of the database's clock. */
export interface Shot {
  reservationId: string;
  userId: string;
  expiresAt: number;
  sentAt: number;
  answeredAt: number;
  /** Of the payment; null when the answer was that the hold is over. */
  paidAt: number | null;
  /** What the database's clock said, of one that came too late. */
  judgedAt?: number | undefined;
}

export const WINDOW_MS = 15;

/**
 * How far from the end the payment was judged, by the database's clock. Where that is not known of one that came too late, how long after the end its answer was
 * here: it was judged before that, so none counts as near that was not.
 */
export const offsetOf = ({ expiresAt, paidAt, judgedAt, answeredAt }: Shot): number => (paidAt ?? judgedAt ?? answeredAt) - expiresAt;

export const isInWindow = (shot: Shot): boolean => Math.abs(offsetOf(shot)) <= WINDOW_MS;

export interface Aims {
  /** When a payment is sent. */
  send: Aim;
  /** When a payment that waits for the row of its reservation gets it. */
  release: Aim;
}

interface Hold {
  buyer: DrillBuyer;
  seat: Seat;
  id: string;
  expiresAt: number;
}

interface Seat {
  scheduleId: string;
  number: number;
}

/** What the payer knows, for the rival who is after the seat. */
interface Known {
  end: 'paid' | 'over' | undefined;
}

const JITTER_MS = 4;
const LANES_FIRST = 8;
const LANES_MORE = 4;
const LATENCIES = 20;
const FAST_MS = 20;
const SLOW_MS = 50;
const RIVAL_FROM_MS = -10;
const RIVAL_TO_MS = 4;
const RIVAL_AGAIN_MS = 5;
/** The gate believes what it read in the database for a second. */
const FREE_AGAIN_WITHIN_MS = 3000;
const TWIN_CHANCE = 0.1;
/** Payments that wait for the row of their reservation until the end has come. */
const WAITS_CHANCE = 0.5;
const COMES_BEFORE_MS = 15;

/**
 * Seats that change hands at the end of each hold: its buyer pays just then, a rival reserves just then. A rival who gets the seat is the next to pay for it; a seat
 * that is sold gives way to the next.
 */
export class BoundaryRace {
  readonly shots: Shot[] = [];
  readonly found: Violation[] = [];
  readonly #unknownYet: Shot[] = [];
  #seats = 0;
  #lanes = 0;
  #lanesMax = 0;
  #retiring = 0;
  #grow: () => void = () => undefined;
  #over = false;

  constructor(
    private readonly run: DrillRun,
    private readonly concert: BuiltConcert,
    private readonly seatsPerDate: number,
    private readonly buyers: BuyerPool,
    private readonly clock: DatabaseClock,
    private readonly aims: Aims,
    private readonly judgements: Judgements,
    private readonly transactions: Transactions,
  ) {}

  /** Until it is enough; holds that are under way then are not fought for. */
  async until(enough: (shots: readonly Shot[]) => boolean, lanesMax: number): Promise<void> {
    this.#over = false;
    const running = new Set<Promise<void>>();
    let failed: unknown;
    this.#grow = () => {
      const lane = this.#lane(enough).catch((error: unknown) => {
        failed ??= error;
        this.#over = true;
      });
      running.add(lane);
      void lane.finally(() => running.delete(lane));
    };
    this.#lanesMax = lanesMax;
    this.#lanes = Math.max(this.#lanes, Math.min(lanesMax, LANES_FIRST));
    for (let lane = 0; lane < this.#lanes; lane += 1) this.#grow();
    while (running.size > 0) await Promise.all(running);
    if (failed) throw failed;
  }

  /** As many at once as the machine can take and still answer fast: late answers cannot be aimed. */
  #adapt(): void {
    const latencyMs = this.aims.send.latencyMs(LATENCIES);
    if (latencyMs < FAST_MS) {
      for (let more = 0; more < LANES_MORE && this.#lanes < this.#lanesMax; more += 1, this.#lanes += 1) this.#grow();
    } else if (latencyMs > SLOW_MS && this.#lanes - this.#retiring > LANES_FIRST) {
      this.#retiring += 1;
    }
  }

  #retires(): boolean {
    if (this.#retiring === 0) return false;
    this.#retiring -= 1;
    this.#lanes -= 1;
    return true;
  }

  async #lane(enough: (shots: readonly Shot[]) => boolean): Promise<void> {
    while (!this.#over && !this.#retires()) {
      let hold = await this.#firstHold();
      while (hold && !this.#over && this.#canAim(hold)) {
        hold = await this.#atTheEnd(hold);
        if (!this.judgements.read()) continue;
        this.#learn();
        this.#over ||= enough(this.shots);
        if (!this.#over) this.#adapt();
      }
      // Nobody pays it.
      if (hold) this.buyers.give(hold.buyer);
    }
  }

  /** A hold that was told of too late would say nothing about the end. */
  #canAim({ expiresAt }: Hold): boolean {
    return this.clock.now() < expiresAt - Math.max(this.aims.send.leadMs, this.aims.release.leadMs) - JITTER_MS - 2 * COMES_BEFORE_MS;
  }

  #learn(): void {
    for (const shot of this.#unknownYet.splice(0)) {
      shot.judgedAt = this.judgements.of(shot.reservationId);
      if (shot.judgedAt === undefined) this.#unknownYet.push(shot);
    }
  }

  async #firstHold(): Promise<Hold | null> {
    const seat = this.#nextSeat();
    const buyer = await this.buyers.take();
    const reply = await buyer.client.untilKnown((via) => buyer.reserve(seat.scheduleId, [seat.number], via));
    if (reply.outcome === 'ok') return holdOf(buyer, seat, reply.value);
    this.buyers.give(buyer);
    this.#violated('seat-not-free', `seat ${seat.number} was never reserved, and user ${buyer.id} was answered ${reply.code}`, reply);
    return null;
  }

  #nextSeat(): Seat {
    const index = this.#seats;
    this.#seats += 1;
    const scheduleId = this.concert.scheduleIds[Math.floor(index / this.seatsPerDate)];
    if (!scheduleId) throw new Error('The concert has too few seats.');
    return { scheduleId, number: (index % this.seatsPerDate) + 1 };
  }

  async #atTheEnd(hold: Hold): Promise<Hold | null> {
    const known: Known = { end: undefined };
    const rival = await this.buyers.take();
    const [shot, next] = await Promise.all([this.#pay(hold, known), this.#takeOver(hold, rival, known)]);
    if (!next) this.buyers.give(rival);
    if (shot?.paidAt === null) this.buyers.give(hold.buyer);
    if (shot) this.shots.push(shot);
    if (shot?.paidAt === null) this.#unknownYet.push(shot);
    if (next && known.end === 'paid') this.#violated('both', `reservation ${hold.id} was paid and its seat reserved as ${next.id}`);
    return next;
  }

  async #pay({ buyer, id, expiresAt }: Hold, known: Known): Promise<Shot | null> {
    const { random } = this.run;
    const jitterMs = (random.next() * 2 - 1) * JITTER_MS;
    const waits = random.chance(WAITS_CHANCE);
    const sendAt = expiresAt - this.aims.send.leadMs + jitterMs - (waits ? COMES_BEFORE_MS : 0);
    const kept = waits ? this.#keepRow(id, sendAt - COMES_BEFORE_MS, expiresAt - this.aims.release.leadMs + jitterMs) : null;
    await this.clock.until(sendAt, this.run.signal);
    const sentAt = this.clock.now();
    const twin = random.chance(TWIN_CHANCE) ? this.clock.until(sentAt + random.next() * JITTER_MS, this.run.signal).then(() => buyer.client.untilKnown((via) => buyer.pay(id, via))) : null;
    const reply = await buyer.client.untilKnown((via) => buyer.pay(id, via));
    const answeredAt = this.clock.now();
    if (twin) this.#sameAnswer(reply, await twin);
    const paidAt = reply.outcome === 'ok' ? Date.parse(reply.value.paidAt) : null;
    known.end = paidAt === null ? 'over' : 'paid';
    if (reply.outcome !== 'ok' && !isOverRefusal(reply)) {
      this.#violated('neither', `the payment of ${id} was answered ${reply.code}`, reply);
      return null;
    }
    if (paidAt !== null && paidAt >= expiresAt) this.#violated('late-payment', `${id} was paid ${paidAt - expiresAt} ms after its end`, reply);
    if (paidAt === null && answeredAt < expiresAt) this.#violated('over-too-early', `${id} was over ${expiresAt - answeredAt} ms before its end`, reply);
    await kept;
    if (waits) this.aims.release.shot(paidAt !== null);
    else this.aims.send.shot(paidAt !== null, paidAt === null ? undefined : paidAt - sentAt);
    return { reservationId: id, userId: buyer.id, expiresAt, sentAt, answeredAt, paidAt };
  }

  /** Somebody has the row of the reservation until then: a payment that came before waits for it, and is judged when it gets it. */
  async #keepRow(id: string, from: number, until: number): Promise<void> {
    await this.clock.until(from, this.run.signal);
    await this.transactions.run(async (em) => {
      await em.execute('select id from reservation where id = ? for update', [id]);
      await this.clock.until(until, this.run.signal);
    });
  }

  /** From just before the end on, until the rival has the seat or the payer is known to have it. */
  async #takeOver({ id, seat, expiresAt }: Hold, rival: DrillBuyer, known: Known): Promise<Hold | null> {
    const { random, signal } = this.run;
    await this.clock.until(expiresAt + RIVAL_FROM_MS + random.next() * (RIVAL_TO_MS - RIVAL_FROM_MS), signal);
    for (;;) {
      const reply = await rival.client.untilKnown((via) => rival.reserve(seat.scheduleId, [seat.number], via));
      if (reply.outcome === 'ok') return holdOf(rival, seat, reply.value);
      if (known.end === 'paid' || reply.code !== 'SeatsUnavailable') {
        if (reply.code !== 'SeatsUnavailable') this.#violated('neither', `the rival for ${id} was answered ${reply.code}`, reply);
        return null;
      }
      if (known.end === 'over' && this.clock.now() > expiresAt + FREE_AGAIN_WITHIN_MS) {
        this.#violated('seat-not-free', `${id} is over, and its seat is not free ${FREE_AGAIN_WITHIN_MS} ms later`, reply);
        return null;
      }
      await this.clock.until(this.clock.now() + RIVAL_AGAIN_MS, signal);
    }
  }

  #sameAnswer(one: Reply<{ id: string }>, other: Reply<{ id: string }>): void {
    const [a, b] = [one, other].map((reply) => (reply.outcome === 'ok' ? reply.value.id : reply.code));
    if (a !== b) this.#violated('two-answers', `two payments of one hold were answered ${a} and ${b}`, one, other);
  }

  #violated(kind: string, what: string, ...replies: Reply<unknown>[]): void {
    this.found.push({ kind, what, operations: replies.map(({ operation }) => operation) });
  }
}

const holdOf = (buyer: DrillBuyer, seat: Seat, { id, expiresAt }: { id: string; expiresAt: string }): Hold => ({ buyer, seat, id, expiresAt: Date.parse(expiresAt) });

const isOverRefusal = (reply: Reply<unknown>): boolean =>
  reply.outcome === 'fail' && reply.code === 'ReservationNotPayable' && (reply.refusal as { refusedStatus: string }).refusedStatus === 'EXPIRED';
