import type { Logger } from 'pino';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Counters } from './domain/counters.js';
import { within } from './redis/within.js';

/** Reading the queues costs Redis a few commands for each of them; scrapes that come closer together share one reading. */
const FIGURES_MEMO_MS = 1000;
const FAST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** An operation by the schema's names; what a client calls it is never a label. */
export interface OperationLabels {
  type: string;
  field: string;
  code: string;
}

/** Everything `/metrics` shows. */
export class Metrics implements Counters {
  readonly registry = new Registry();
  readonly #holds = new Counter({ name: 'frontrow_holds_total', help: 'Reservations that reached a status.', labelNames: ['outcome'], registers: [this.registry] });
  readonly #refused = new Counter({ name: 'frontrow_reserve_refused_total', help: 'Reserves turned away, by whom.', labelNames: ['by'], registers: [this.registry] });
  readonly #followUps = new Counter({ name: 'frontrow_follow_up_failures_total', help: 'What follows a commit, or tells other instances, and failed, by step; a commit stands.', labelNames: ['step'], registers: [this.registry] });
  readonly #retries = new Counter({ name: 'frontrow_transaction_retries_total', help: 'Transactions run again, by errno or version.', labelNames: ['reason'], registers: [this.registry] });
  readonly #admitted = new Counter({ name: 'frontrow_queue_admitted_total', help: 'Users admitted from a queue.', registers: [this.registry] });
  readonly #rebuilt = new Counter({ name: 'frontrow_queue_rebuilt_total', help: 'Queues brought back after Redis was lost or restarted; lost: places may be missing, admission pauses.', labelNames: ['state'], registers: [this.registry] });
  readonly #lag = new Histogram({ name: 'frontrow_job_lag_seconds', help: 'How long after it was due a job ran.', labelNames: ['job'], registers: [this.registry] });

  readonly #published = new Counter({ name: 'frontrow_events_published_total', help: 'Events published to the stream.', registers: [this.registry] });
  readonly #publishedAgain = new Counter({ name: 'frontrow_events_published_again_total', help: 'Events published to the stream once more, because Redis had lost them.', registers: [this.registry] });
  readonly #webhooks = new Counter({ name: 'frontrow_webhook_attempts_total', help: 'Attempts to deliver to a webhook, by outcome.', labelNames: ['outcome'], registers: [this.registry] });

  readonly #cancelled = new Counter({ name: 'frontrow_cancellation_reservations_total', help: 'Reservations of cancelled dates, by what became of them; FAILED is tried again.', labelNames: ['outcome'], registers: [this.registry] });

  readonly #operations = new Counter({ name: 'frontrow_operations_total', help: 'GraphQL operations answered, by root field and code of the first error.', labelNames: ['type', 'field', 'code'], registers: [this.registry], collect: () => this.#tellCounts() });
  readonly #ahead = new Counter({ name: 'frontrow_operations_ahead_total', help: 'Of them those known before, answered ahead of Apollo.', registers: [this.registry], collect: () => this.#tellCounts() });
  /** Answered ahead of Apollo and not told to the counters yet: those without errors, by root field, and all. */
  readonly #good = new Map<string, { type: string; field: string; count: number }>();
  #aheadCount = 0;
  readonly #made = new Counter({ name: 'frontrow_shared_answers_made_total', help: 'Answers made to be given to others too; all others of these operations were given again.', labelNames: ['field'], registers: [this.registry] });
  readonly #duration = new Histogram({ name: 'frontrow_operation_seconds', help: 'From the request to its answer, over HTTP.', labelNames: ['type', 'field'], buckets: FAST_SECONDS, registers: [this.registry] });
  readonly #sockets = new Gauge({ name: 'frontrow_sockets_open', help: 'Websockets open.', registers: [this.registry] });
  readonly #subscriptions = new Gauge({ name: 'frontrow_subscriptions_open', help: 'Subscriptions running.', labelNames: ['field'], registers: [this.registry] });
  readonly #events = new Counter({ name: 'frontrow_subscription_events_total', help: 'Results sent to subscribers.', labelNames: ['field'], registers: [this.registry] });
  readonly #poolWait = new Histogram({ name: 'frontrow_database_pool_wait_seconds', help: 'Wait for a database connection.', buckets: FAST_SECONDS, registers: [this.registry] });

  constructor(private readonly logger: Logger) {
    collectDefaultMetrics({ register: this.registry });
  }

  reservationBecame(status: Parameters<Counters['reservationBecame']>[0]): void {
    this.#holds.inc({ outcome: status });
  }
  reserveRefused(by: 'gate' | 'database'): void {
    this.#refused.inc({ by });
  }
  followUpFailed(step: string, error: unknown): void {
    this.#followUps.inc({ step });
    this.logger.warn({ err: error, step }, 'what follows a commit failed');
  }
  transactionRetried(reason: string): void {
    this.#retries.inc({ reason });
  }
  admitted(count: number): void {
    this.#admitted.inc(count);
  }
  cancellationEnded(status: Parameters<Counters['cancellationEnded']>[0]): void {
    this.#cancelled.inc({ outcome: status });
  }
  cancellationFailed(reservationId: string, error: unknown): void {
    this.#cancelled.inc({ outcome: 'FAILED' });
    this.logger.error({ err: error, reservationId }, 'a reservation of a cancelled date could not be given back yet');
  }
  queueRebuilt(state: Parameters<Counters['queueRebuilt']>[0]): void {
    this.#rebuilt.inc({ state });
  }
  jobLag(job: string, lagMs: number): void {
    this.#lag.observe({ job }, lagMs / 1000);
  }

  /** `seconds` is left out where an operation has no end of its own. */
  operationAnswered({ type, field, code }: OperationLabels, seconds?: number): void {
    this.#operations.inc({ type, field, code });
    if (seconds !== undefined) this.#duration.observe({ type, field }, seconds);
  }
  /** The same for one that is asked for often: its labels are looked up once. */
  operationsOf(type: string, field: string): (code: string, seconds: number) => void {
    const duration = this.#duration.labels({ type, field });
    const name = `${type} ${field}`;
    const good = this.#good.get(name) ?? { type, field, count: 0 };
    this.#good.set(name, good);
    return (code, seconds) => {
      this.#aheadCount += 1;
      if (code === 'OK') good.count += 1;
      else this.#operations.inc({ type, field, code });
      duration.observe(seconds);
    };
  }
  /** What was counted since the last look: looking its labels up with each operation would cost more than all else of counting it. */
  #tellCounts(): void {
    this.#ahead.inc(this.#aheadCount);
    this.#aheadCount = 0;
    for (const good of this.#good.values()) {
      if (good.count > 0) this.#operations.inc({ type: good.type, field: good.field, code: 'OK' }, good.count);
      good.count = 0;
    }
  }
  sharedAnswerMade(field: string): void {
    this.#made.inc({ field });
  }
  socketOpened(): void {
    this.#sockets.inc();
  }
  socketClosed(): void {
    this.#sockets.dec();
  }
  subscriptionStarted(field: string): void {
    this.#subscriptions.inc({ field });
  }
  subscriptionEnded(field: string): void {
    this.#subscriptions.dec({ field });
  }
  eventSent(field: string): void {
    this.#events.inc({ field });
  }
  poolWaited(seconds: number): void {
    this.#poolWait.observe(seconds);
  }

  eventsPublished(count: number): void {
    this.#published.inc(count);
  }
  eventsPublishedAgain(count: number): void {
    if (count > 0) this.logger.warn({ events: count }, 'Redis had lost events of the stream; they were published again');
    this.#publishedAgain.inc(count);
  }
  webhookTried(outcome: Parameters<Counters['webhookTried']>[0]): void {
    this.#webhooks.inc({ outcome });
  }

  /** The queues are counted when somebody looks. A Redis that is away, or silent, must not hide the other figures. */
  watchQueues(totals: () => Promise<{ waiting: number; active: number }>): void {
    const current = briefly(totals, { waiting: Number.NaN, active: Number.NaN });
    for (const state of ['waiting', 'active'] as const) {
      new Gauge({
        name: `frontrow_queue_${state}`,
        help: `Users ${state} in all queues.`,
        registers: [this.registry],
        async collect() {
          this.set((await current())[state]);
        },
      });
    }
  }
  /** What waits to be published to other systems; a database that is away, or silent, must not hide the other figures. */
  watchOutbox(backlog: () => Promise<{ count: number; oldestMs: number }>): void {
    const current = briefly(backlog, { count: Number.NaN, oldestMs: Number.NaN });
    new Gauge({
      name: 'frontrow_outbox_backlog',
      help: 'Events not published yet.',
      registers: [this.registry],
      async collect() {
        this.set((await current()).count);
      },
    });
    new Gauge({
      name: 'frontrow_outbox_oldest_seconds',
      help: 'Age of the oldest event not published yet; 0 without one.',
      registers: [this.registry],
      async collect() {
        this.set((await current()).oldestMs / 1000);
      },
    });
  }
}

/** The figures of a store, read once for all scrapes that come close together; `unknown` when it does not answer. */
function briefly<Figures extends object>(read: () => Promise<Figures>, unknown: Figures): () => Promise<Figures> {
  let last: { at: number; figures: Promise<Figures> } = { at: -Infinity, figures: Promise.resolve<Figures>(unknown) };
  return () => {
    if (performance.now() - last.at > FIGURES_MEMO_MS) {
      last = { at: performance.now(), figures: within<Figures>((async () => read())()).catch(() => unknown) };
    }
    return last.figures;
  };
}
