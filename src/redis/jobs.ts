import { Queue, type JobsOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { z } from 'zod';
import { keys } from './keys.js';

/** Holds that one job ends, in one transaction. */
export const HOLDS_PER_JOB_MAX = 128;

/** The catalogue of BullMQ jobs: name of the job queue and shape of its payload. */
export const jobCatalogue = {
  /** Of holds that end together; `besides` are the others, which jobs of the version before do not name. */
  'hold-expiry': z.object({ reservationId: z.uuid(), besides: z.array(z.uuid()).max(HOLDS_PER_JOB_MAX - 1).default([]) }),
  admission: z.object({}),
  sweep: z.object({}),
  relay: z.object({}),
  webhook: z.object({ deliveryId: z.uuid(), webhookId: z.uuid() }),
  cancellation: z.object({ scheduleId: z.uuid() }),
} as const;
export type JobName = keyof typeof jobCatalogue;
export type JobPayload<Name extends JobName> = z.infer<(typeof jobCatalogue)[Name]>;

const ATTEMPTS_MAX = 5;
const FINISHED_KEPT = 100;
const options: JobsOptions = {
  attempts: ATTEMPTS_MAX,
  backoff: { type: 'exponential', delay: 200 },
  removeOnComplete: { count: FINISHED_KEPT },
  removeOnFail: { count: FINISHED_KEPT },
};

/** These may be asked for again as soon as their job is over, however that ended: rows know what is still to be done. */
const ASKED_AGAIN: readonly JobName[] = ['webhook', 'cancellation'];
const optionsOf = (name: JobName): JobsOptions => (ASKED_AGAIN.includes(name) ? { ...options, removeOnComplete: true, removeOnFail: true } : options);

/** Clocks of processes that are right are no further apart. */
const CLOCKS_APART_MS = 1000;

export class Jobs {
  readonly #queues: { [Name in JobName]: Queue };

  constructor(connection: Redis, logger: Logger) {
    const queueOf = (name: JobName): Queue => {
      const queue = new Queue(name, { connection, prefix: keys.jobs(), defaultJobOptions: optionsOf(name) });
      // Without a listener a lost connection would end the process.
      queue.on('error', (error) => logger.warn({ err: error, job: name }, 'job queue connection'));
      return queue;
    };
    this.#queues = { 'hold-expiry': queueOf('hold-expiry'), admission: queueOf('admission'), sweep: queueOf('sweep'), relay: queueOf('relay'), webhook: queueOf('webhook'), cancellation: queueOf('cancellation') };
  }

  /** Runs once at about `delayMs` from now. The same `id` again is ignored. */
  async addDelayed<Name extends JobName>(name: Name, id: string, payload: JobPayload<Name>, delayMs: number): Promise<void> {
    await this.#queues[name].add(name, payload, { jobId: id, delay: Math.max(0, delayMs) });
  }

  /** Runs now, also where the job of this `id` was put off by a process whose clock is wrong. */
  async hurry<Name extends JobName>(name: Name, id: string, payload: JobPayload<Name>): Promise<void> {
    await this.addDelayed(name, id, payload, 0);
    const job = await this.#queues[name].getJob(id);
    // One that has begun meanwhile needs no hurry.
    if (await job?.isDelayed()) await job!.promote().catch(() => undefined);
  }

  /**
   * Runs every `everyMs`, once for all instances. Calling it again changes the interval. BullMQ counts the next turn by the clock of whoever took the last one:
   * one that is further away, as this process sees it, was set by a clock that is wrong beside this one, and would keep everybody waiting.
   */
  async schedule<Name extends JobName>(name: Name, everyMs: number, payload: JobPayload<Name>): Promise<void> {
    const queue = this.#queues[name];
    const next = (await queue.getJobScheduler(name))?.next;
    const isFar = next !== undefined && next - Date.now() > everyMs + CLOCKS_APART_MS;
    // One that waits for a worker only comes late.
    if (isFar && (await queue.getWaitingCount()) === 0) await queue.removeJobScheduler(name);
    await queue.upsertJobScheduler(name, { every: everyMs }, { name, data: payload });
  }

  /** Runs once soon. Asked for again while one waits it is that one; while one runs it runs once more. */
  async nudge(name: 'relay'): Promise<void> {
    await this.#queues[name].add(name, {}, { deduplication: { id: 'nudge', keepLastIfActive: true } });
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#queues).map((queue) => queue.close()));
  }
}
