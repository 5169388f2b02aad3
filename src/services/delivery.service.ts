import type { WebhookDelivery } from '../database/entities/webhook-delivery.entity.js';
import {
  claimDelivery, deleteDeliveriesOf, deleteOverDeliveries, enabledWebhooks, nextInOrder, overdueDeliveries, removedWebhooks, settleDelivery, type Attempted,
  type DueDelivery,
} from '../database/repositories/webhook.repository.js';
import type { Transactions } from '../database/transaction.js';
import type { Counters } from '../domain/counters.js';
import { DELIVERY_ATTEMPTS_MAX, retryDelayMs } from '../domain/webhook.js';
import type { Jobs } from '../redis/jobs.js';
import type { Sent, WebhookSender } from './webhook-sender.js';

/** Longer than an attempt takes: until then it is this process's alone, and if it dies another one tries. */
const CLAIM_MS = 15_000;
/** One receiver that hangs leaves room for the others. */
const IN_FLIGHT_MAX = 5;
/** In memory, so that a crowd of deliveries to it costs the database nothing. */
const CROWDED_DELAY_MS = 5000;
/** A job that did not come this long after its time was lost. */
const LATE_MS = 2000;
/** Of each webhook. */
const LATE_BATCH = 200;
const DELIVERED_KEPT_MS = 86_400_000;
const DEAD_KEPT_MS = 30 * DELIVERED_KEPT_MS;
const SWEEP_BATCH = 1000;
/** What is left waits for the next sweep. */
const SWEEP_BATCHES_MAX = 20;

/**
 * Every delivery is tried until it has arrived or its attempts are used up, at least once; a later event of the same reservation waits until the earlier one
 * is DELIVERED or DEAD. The row says when and whether it is tried, the job only comes for it.
 */
export class DeliveryService {
  /** By webhook, in this process. */
  readonly #inFlight = new Map<string, number>();

  constructor(
    private readonly transactions: Transactions,
    private readonly jobs: Jobs,
    private readonly sender: WebhookSender,
    private readonly counters: Counters,
  ) {}

  /** A job for each; one that is there already is that one. Never fails: what is lost here is found by `beginLate`. */
  async begin(due: readonly DueDelivery[], late = ''): Promise<void> {
    try {
      for (const delivery of due) {
        if (late) await this.jobs.hurry('webhook', `${delivery.deliveryId}${late}`, delivery);
        else await this.jobs.addDelayed('webhook', delivery.deliveryId, delivery, 0);
      }
    } catch (error) {
      this.counters.followUpFailed('webhook-job', error);
    }
  }

  /**
   * Deliveries whose job was lost, or does not come: put off by a process whose clock is wrong, or held by one that died. Theirs are jobs of their own, for BullMQ
   * would ignore the name of one that it still knows; whichever comes second finds nothing to do.
   */
  async beginLate(): Promise<void> {
    for (const webhookId of await enabledWebhooks(this.transactions.fork())) {
      await this.begin(await overdueDeliveries(this.transactions.fork(), webhookId, LATE_MS, LATE_BATCH), '-late');
    }
  }

  /** The webhook job: one attempt. Answers how long it is to be put off, 0 when nothing more is to be done. */
  async deliver({ deliveryId, webhookId }: DueDelivery): Promise<{ remainingMs: number }> {
    const inFlight = this.#inFlight.get(webhookId) ?? 0;
    if (inFlight >= IN_FLIGHT_MAX) return { remainingMs: CROWDED_DELAY_MS };
    this.#inFlight.set(webhookId, inFlight + 1);
    const attempt = await this.#attempt(deliveryId).finally(() => this.#leave(webhookId));
    return 'remainingMs' in attempt ? attempt : this.#settle(attempt.delivery, attempt.sent);
  }

  /** The sweeper. */
  async sweep(): Promise<void> {
    await inBatches(() => deleteOverDeliveries(this.transactions.fork(), 'DELIVERED', DELIVERED_KEPT_MS, SWEEP_BATCH));
    await inBatches(() => deleteOverDeliveries(this.transactions.fork(), 'DEAD', DEAD_KEPT_MS, SWEEP_BATCH));
    for (const id of await removedWebhooks(this.transactions.fork())) await inBatches(() => deleteDeliveriesOf(this.transactions.fork(), id, SWEEP_BATCH));
  }

  async #attempt(deliveryId: string): Promise<{ remainingMs: number } | { delivery: WebhookDelivery; sent: Sent }> {
    const claim = await this.transactions.run((em) => claimDelivery(em, deliveryId, CLAIM_MS));
    if ('remainingMs' in claim) return claim;
    const { webhook, delivery, at } = claim;
    return { delivery, sent: await this.sender.send(webhook, delivery.eventId, delivery.body, at) };
  }

  #leave(webhookId: string): void {
    const others = this.#inFlight.get(webhookId)! - 1;
    if (others > 0) this.#inFlight.set(webhookId, others);
    else this.#inFlight.delete(webhookId);
  }

  async #settle(delivery: WebhookDelivery, { arrived, status, error }: Sent): Promise<{ remainingMs: number }> {
    const state = arrived ? 'DELIVERED' : delivery.attempts >= DELIVERY_ATTEMPTS_MAX ? 'DEAD' : 'PENDING';
    const delayMs = state === 'PENDING' ? retryDelayMs(delivery.attempts, Math.random()) : 0;
    const attempted: Attempted = { state, delayMs, status, error };
    const next = await this.transactions.run(async (em) => {
      await settleDelivery(em, delivery, attempted);
      return state === 'PENDING' ? null : nextInOrder(em, delivery);
    });
    this.counters.webhookTried(state === 'PENDING' ? 'FAILED' : state);
    if (next) await this.begin([next]);
    return { remainingMs: delayMs };
  }
}

async function inBatches(deleteSome: () => Promise<number>): Promise<void> {
  for (let batch = 0; batch < SWEEP_BATCHES_MAX; batch += 1) if ((await deleteSome()) < SWEEP_BATCH) return;
}
