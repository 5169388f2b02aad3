import { v7 as uuid } from 'uuid';
import { deletePublishedEvents, markPublished, outboxBacklog, unpublishedEvents } from '../database/repositories/outbox.repository.js';
import { addDeliveries } from '../database/repositories/webhook.repository.js';
import type { Transactions } from '../database/transaction.js';
import type { Counters } from '../domain/counters.js';
import type { OutgoingEvent } from '../domain/event.js';
import type { EventStream } from '../redis/event-stream.js';
import type { DeliveryService } from './delivery.service.js';

/** However often a nudge is lost, no event waits longer than about this. */
export const RELAY_INTERVAL_MS = 1000;
const BATCH = 100;
/** A run comes to an end also when events come faster than it publishes; the next run goes on. */
const ROUNDS_MAX = 500;
const KEPT_MS = 86_400_000;
const SWEEP_BATCH = 1000;
const SWEEP_BATCHES_MAX = 100;
/** The operator's figure goes no further. */
const BACKLOG_COUNT_MAX = 100_000;

/**
 * Every committed event reaches the stream, and the deliveries of each webhook that wants it: at least once, those of one reservation in their order. It is
 * marked only afterwards, so a run that is cut short anywhere is done over by the next. While no other relay interferes, exactly once.
 */
export class RelayService {
  constructor(
    private readonly transactions: Transactions,
    private readonly stream: EventStream,
    private readonly deliveries: DeliveryService,
    private readonly counters: Counters,
  ) {}

  /** The relay job. Answers how many events were published; 0 where another relay is at work, which then looks once more. */
  async run(): Promise<number> {
    const relay = uuid();
    if (!(await this.stream.claim(relay))) return 0;
    let published = 0;
    let released = false;
    try {
      for (let round = 0; round < ROUNDS_MAX && !released; round += 1) {
        const inRound = (await this.#publishOutbox(relay)) + (await this.#publishQueues(relay));
        published += inRound;
        released = inRound === 0 && (await this.stream.release(relay, false));
      }
      return published;
    } finally {
      if (!released) await this.stream.release(relay, true);
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

  async #publishOutbox(relay: string): Promise<number> {
    const events = await unpublishedEvents(this.transactions.fork(), BATCH);
    return this.#publish(relay, events, events.map(({ sequence }) => sequence));
  }

  async #publishQueues(relay: string): Promise<number> {
    let published = 0;
    for (const concertId of await this.stream.concerts()) {
      const { events, last } = await this.stream.queueEvents(concertId, BATCH);
      const inQueue = await this.#publish(relay, events, []);
      if (last === null) await this.stream.forget(concertId);
      else if (inQueue > 0) await this.stream.dropQueueEvents(concertId, last);
      published += inQueue;
    }
    return published;
  }

  async #publish(relay: string, events: readonly OutgoingEvent[], outboxIds: readonly number[]): Promise<number> {
    if (events.length === 0 || !(await this.stream.publish(relay, events))) return 0;
    const due = await this.transactions.run(async (em) => {
      const added = await addDeliveries(em, events);
      if (outboxIds.length > 0) await markPublished(em, outboxIds);
      return added;
    });
    this.counters.eventsPublished(events.length);
    await this.deliveries.begin(due);
    return events.length;
  }
}
