import { Worker, type Job } from 'bullmq';
import type { Logger } from 'pino';
import type { Counters } from '../domain/counters.js';
import { jobCatalogue, type JobName, type JobPayload } from '../redis/jobs.js';
import { keys } from '../redis/keys.js';
import { connectPatient } from '../redis/client.js';

/** What a worker does with one job; `job` is there for what only BullMQ can do, such as putting it off. */
export type Handler<Name extends JobName> = (payload: JobPayload<Name>, job: Job, token: string | undefined) => Promise<void>;
/** Exactly one handler for each job: a missing one does not compile. */
export type Handlers = { [Name in JobName]: Handler<Name> };

const CONCURRENCY: { [Name in JobName]: number } = { 'hold-expiry': 10, admission: 1, sweep: 1 };

export interface Workers {
  close(): Promise<void>;
}

export async function startWorkers(handlers: Handlers, redisAddress: string, counters: Counters, logger: Logger): Promise<Workers> {
  const connection = connectPatient(redisAddress, logger);
  const workers = (Object.keys(handlers) as JobName[]).map((name) => startWorker(name, handlers, connection, counters, logger));
  await Promise.all(workers.map((worker) => worker.waitUntilReady()));
  return {
    close: async () => {
      await Promise.all(workers.map((worker) => worker.close()));
      connection.disconnect();
    },
  };
}

function startWorker<Name extends JobName>(name: Name, handlers: Handlers, connection: ReturnType<typeof connectPatient>, counters: Counters, logger: Logger): Worker {
  const handle = handlers[name] as Handler<Name>;
  const worker = new Worker(
    name,
    async (job, token) => {
      counters.jobLag(name, Math.max(0, Date.now() - (job.timestamp + (job.opts.delay ?? 0))));
      await handle(jobCatalogue[name].parse(job.data) as JobPayload<Name>, job, token);
    },
    { connection, prefix: keys.jobs(), concurrency: CONCURRENCY[name] },
  );
  worker.on('failed', (job, error) => logger.error({ err: error, job: name, id: job?.id, attempts: job?.attemptsMade }, 'job failed'));
  worker.on('error', (error) => logger.warn({ err: error, job: name }, 'worker connection'));
  return worker;
}
