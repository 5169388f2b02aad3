import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';
import type { Counters } from './domain/counters.js';

/** Everything `/metrics` shows. */
export class Metrics implements Counters {
  readonly registry = new Registry();
  readonly #holds = new Counter({ name: 'frontrow_holds_total', help: 'Reservations that reached a status.', labelNames: ['outcome'], registers: [this.registry] });
  readonly #refused = new Counter({ name: 'frontrow_reserve_refused_total', help: 'Reserves turned away, by whom.', labelNames: ['by'], registers: [this.registry] });
  readonly #followUps = new Counter({ name: 'frontrow_follow_up_failures_total', help: 'What follows a commit and failed, by step; the commit stands.', labelNames: ['step'], registers: [this.registry] });
  readonly #retries = new Counter({ name: 'frontrow_transaction_retries_total', help: 'Transactions run again, by errno or version.', labelNames: ['reason'], registers: [this.registry] });
  readonly #admitted = new Counter({ name: 'frontrow_queue_admitted_total', help: 'Users admitted from a queue.', registers: [this.registry] });
  readonly #lag = new Histogram({ name: 'frontrow_job_lag_seconds', help: 'How long after it was due a job ran.', labelNames: ['job'], registers: [this.registry] });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  reservationBecame(status: Parameters<Counters['reservationBecame']>[0]): void {
    this.#holds.inc({ outcome: status });
  }
  reserveRefused(by: 'gate' | 'database'): void {
    this.#refused.inc({ by });
  }
  followUpFailed(step: string): void {
    this.#followUps.inc({ step });
  }
  transactionRetried(reason: string): void {
    this.#retries.inc({ reason });
  }
  admitted(count: number): void {
    this.#admitted.inc(count);
  }
  jobLag(job: string, lagMs: number): void {
    this.#lag.observe({ job }, lagMs / 1000);
  }
}
