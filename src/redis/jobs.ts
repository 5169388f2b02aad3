import { Queue, type JobsOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { z } from 'zod';
import { keys } from './keys.js';

/** The catalogue of BullMQ jobs: name of the job queue and shape of its payload. */
export const jobCatalogue = {
  'hold-expiry': z.object({ reservationId: z.uuid() }),
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

  /** Runs every `everyMs`, once for all instances. Calling it again changes the interval. */
  async schedule<Name extends JobName>(name: Name, everyMs: number, payload: JobPayload<Name>): Promise<void> {
    await this.#queues[name].upsertJobScheduler(name, { every: everyMs }, { name, data: payload });
  }

  /** Runs once soon. Asked for again while one waits it is that one; while one runs it runs once more. */
  async nudge(name: 'relay'): Promise<void> {
    await this.#queues[name].add(name, {}, { deduplication: { id: 'nudge', keepLastIfActive: true } });
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#queues).map((queue) => queue.close()));
  }
}
