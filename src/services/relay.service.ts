import type { EntityManager } from '@mikro-orm/mysql';
import { setTimeout as delay } from 'node:timers/promises';
import { v7 as uuid } from 'uuid';
import { databaseNow } from '../database/clock.js';
import { endPlaces } from '../database/repositories/queue-line.repository.js';
import { deletePublishedEvents, lastPublished, markPublished, outboxBacklog, publishedAfter, unpublishedEvents } from '../database/repositories/outbox.repository.js';
import { addDeliveries, wantedDeliveries } from '../database/repositories/webhook.repository.js';
import type { Transactions } from '../database/transaction.js';
import type { Counters } from '../domain/counters.js';
import { placesLeft, type OutgoingEvent } from '../domain/event.js';
import { isBehind, markOfText, nextPublishedAt, pauseAfterMs, textOfMark, type OutboxMark } from '../domain/outbox-mark.js';
import { STREAM_LENGTH_MAX, type EventStream, type QueueEvents } from '../redis/event-stream.js';
import type { DeliveryService } from './delivery.service.js';
import type { FollowUps } from './follow-ups.js';

/** However often a nudge is lost, no event waits longer than about this. */
export const RELAY_INTERVAL_MS = 1000;
/** Events that one script call appends. */
const BATCH = 500;
/** A run comes to an end also when events come faster than it publishes; the next run goes on. */
const ROUNDS_MAX = 500;
/** A run waits no longer than this for others to come, all its pauses together: a process that is to stop waits for its end. */
export const GATHERED_MAX_MS = 1500;
/** Queues whose events are in memory at once. */
const QUEUES_TOGETHER = 50;
const KEPT_MS = 86_400_000;
const SWEEP_BATCH = 1000;
/** What is left waits for the next sweep: holds that ran out must not wait for it. */
const SWEEP_BATCHES_MAX = 20;
/** The operator's figure goes no further. */
const BACKLOG_COUNT_MAX = 100_000;

/** A relay at work, and what it knows of the stream. */
interface Turn {
  relay: string;
  /** How far the outbox was published, as the stream's Redis has it. */
  reached: string;
  /** After which the next rows count as published. */
  last: OutboxMark;
  /** A queue had more than the last round has published: the next one waits for nobody. */
  hasMore: boolean;
  /** What went wrong in the last round with single queues: told at the end of the run, which goes on for everybody else. */
  failures: unknown[];
}

/**
 * Every committed event reaches the stream, and the deliveries of each webhook that wants it: at least once, those of one reservation in their order. It is
 * marked only afterwards, so a run that is cut short anywhere is done over by the next. What a Redis that lost data has lost of the stream is published again.
 * While no other relay interferes and nothing fails or is lost, exactly once.
 */
export class RelayService {
  constructor(
    private readonly transactions: Transactions,
    private readonly stream: EventStream,
    private readonly deliveries: DeliveryService,
    private readonly followUps: FollowUps,
    private readonly counters: Counters,
    /** Asks for another run. */
    private readonly nudge: () => void,
  ) {}

  /** The relay job. Answers how many events were published; 0 where another relay is at work, which then looks once more. */
  async run(): Promise<number> {
    const relay = uuid();
    const reached = await this.stream.claim(relay);
    if (reached === null) return 0;
    await this.followUps.again();
    let published = 0;
    let released = false;
    try {
      const turn: Turn = { relay, reached, last: await lastPublished(this.transactions.fork()), hasMore: false, failures: [] };
      published += await this.#publishAgain(turn);
      for (let round = 0, gatheredMs = 0; round < ROUNDS_MAX && gatheredMs < GATHERED_MAX_MS && !released; round += 1) {
        const inRound = (await this.#publishOutbox(turn)) + (await this.#publishQueues(turn));
        published += inRound;
        if (inRound === 0) released = await this.stream.release(relay);
        else if (inRound < BATCH && !turn.hasMore) gatheredMs += await this.#gather(inRound);
      }
      if (turn.failures.length > 0) throw turn.failures[0];
      return published;
    } finally {
      // Whoever asked this run to look again has left no nudge of their own.
      if (!released && (await this.stream.abandon(relay))) this.nudge();
    }
  }

  /** What waits to be published, for /metrics. */
  backlog(): Promise<{ count: number; oldestMs: number }> {
    return outboxBacklog(this.transactions.fork(), BACKLOG_COUNT_MAX);
  }

  /** The sweeper: forgets what was published long ago. Answers how many. */
  async sweep(): Promise<number> {
    let deleted = 0;
    for (let batch = 0; batch < SWEEP_BATCHES_MAX; batch += 1) {
      const inBatch = await deletePublishedEvents(this.transactions.fork(), KEPT_MS, SWEEP_BATCH);
      deleted += inBatch;
      if (inBatch < SWEEP_BATCH) break;
    }
    return deleted;
  }

  /**
   * What a lost, emptied or old Redis does not have any more, in the order in which it was published, before anything new. No more than the stream keeps; and
   * no deliveries, for those are rows.
   */
  async #publishAgain(turn: Turn): Promise<number> {
    const newest = turn.last;
    let mark = markOfText(turn.reached);
    // Ahead of the rows is where a relay died between publishing and marking: those are not marked, and come again by themselves.
    if (isBehind(newest, mark)) turn.last = mark;
    if (!isBehind(mark, newest)) return 0;
    const em = this.transactions.fork();
    const oldest = await lastPublished(em, STREAM_LENGTH_MAX);
    if (isBehind(mark, oldest)) mark = oldest;
    let published = 0;
    while (isBehind(mark, newest)) {
      const { events, reached } = await publishedAfter(em, mark, BATCH);
      if (events.length === 0 || !(await this.#append(turn, events, textOfMark(reached)))) break;
      mark = reached;
      published += events.length;
    }
    this.counters.eventsPublishedAgain(published);
    return published;
  }

  /** Answers for how long. */
  #gather(inRound: number): Promise<number> {
    const ms = pauseAfterMs(inRound);
    return delay(ms, ms, { ref: false });
  }

  async #publishOutbox(turn: Turn): Promise<number> {
    const em = this.transactions.fork();
    const events = await unpublishedEvents(em, BATCH);
    if (events.length === 0) return 0;
    const sequences = events.map(({ sequence }) => sequence);
    const reached = { publishedAt: nextPublishedAt(await databaseNow(em), turn.last), sequence: sequences.at(-1)! };
    if (!(await this.#append(turn, events, textOfMark(reached)))) return 0;
    turn.last = reached;
    await this.followUps.apply(events);
    return this.#follow(events, (inner) => markPublished(inner, sequences, reached.publishedAt));
  }

  async #publishQueues(turn: Turn): Promise<number> {
    let published = 0;
    turn.failures = [];
    turn.hasMore = false;
    const concertIds = await this.stream.concerts();
    for (let from = 0; from < concertIds.length; from += QUEUES_TOGETHER) published += await this.#publishSome(turn, concertIds.slice(from, from + QUEUES_TOGETHER));
    return published;
  }

  /** One broken queue does not stop the others. */
  async #publishSome(turn: Turn, concertIds: readonly string[]): Promise<number> {
    const { failures } = turn;
    const tried = (work: Promise<unknown>): Promise<boolean> => work.then(() => true, (error: unknown) => (failures.push(error), false));
    const queues = await this.stream.queueEvents(concertIds, BATCH);
    failures.push(...queues.flatMap(({ error }) => error ?? []));
    for (const { concertId, last, error } of queues) if (last === null && !error) await tried(this.stream.forget(concertId));
    let published = 0;
    for (const some of inBatches(queues.filter(({ last }) => last !== null))) {
      const appended = await togetherOrEach(some, failures, (events) => this.#append(turn, events, turn.reached));
      const followed = await togetherOrEach(appended, failures, async (events) => (await this.#follow(events), true));
      for (const queue of followed) {
        if (!(await tried(this.#drop(queue)))) continue;
        published += queue.events.length;
        turn.hasMore ||= queue.hasMore;
      }
    }
    return published;
  }

  async #drop({ concertId, events, last }: QueueEvents): Promise<void> {
    // Also the row of one who left, whose process died before it was written: by that row a lost place stays ended.
    const left = placesLeft(events);
    if (left.length > 0) await this.transactions.run((em) => endPlaces(em, concertId, left, 'LEFT'));
    await this.stream.dropQueueEvents(concertId, last!);
  }

  async #append(turn: Turn, events: readonly OutgoingEvent[], reached: string): Promise<boolean> {
    if (!(await this.stream.publish(turn.relay, events, turn.reached, reached))) return false;
    turn.reached = reached;
    return true;
  }

  /** What follows the publishing, at once or not at all: each webhook's deliveries, and the mark. */
  async #follow(events: readonly OutgoingEvent[], mark?: (em: EntityManager) => Promise<void>): Promise<number> {
    const wanted = await wantedDeliveries(this.transactions.fork(), events);
    if (wanted.length > 0) {
      await this.transactions.run(async (em) => {
        await addDeliveries(em, wanted);
        await mark?.(em);
      });
    } else if (mark) await this.transactions.runBriefly(({ em }) => mark(em));
    this.counters.eventsPublished(events.length);
    await this.deliveries.begin(wanted.map(({ deliveryId, webhookId }) => ({ deliveryId, webhookId })));
    return events.length;
  }
}

/** So many of them that a script call and a transaction stay small. One queue has no more events than that. */
function inBatches(queues: readonly QueueEvents[]): QueueEvents[][] {
  const batches: QueueEvents[][] = [];
  let inLast = BATCH;
  for (const queue of queues) {
    inLast += queue.events.length;
    if (inLast > BATCH) {
      batches.push([]);
      inLast = queue.events.length;
    }
    batches.at(-1)!.push(queue);
  }
  return batches;
}

/** All at once, which is the cheapest; where that fails one by one. Answers those with which it was done. */
async function togetherOrEach(queues: readonly QueueEvents[], failures: unknown[], work: (events: readonly OutgoingEvent[]) => Promise<boolean>): Promise<readonly QueueEvents[]> {
  if (queues.length === 0) return [];
  try {
    return (await work(queues.flatMap(({ events }) => events))) ? queues : [];
  } catch (error) {
    if (queues.length === 1) return failures.push(error), [];
  }
  const done: QueueEvents[] = [];
  for (const queue of queues) done.push(...(await togetherOrEach([queue], failures, work)));
  return done;
}
