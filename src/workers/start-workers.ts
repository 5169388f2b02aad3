import { Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { Counters } from '../domain/counters.js';
import { jobCatalogue, type JobName, type JobPayload, type Jobs } from '../redis/jobs.js';
import { keys } from '../redis/keys.js';
import { connectPatient } from '../redis/client.js';
import { within } from '../redis/within.js';

/** What a worker does with one job; `job` is there for what only BullMQ can do, such as putting it off. */
export type Handler<Name extends JobName> = (payload: JobPayload<Name>, job: Job, token: string | undefined) => Promise<void>;
/** Exactly one handler for each job: a missing one does not compile. */
export type Handlers = { [Name in JobName]: Handler<Name> };

const CONCURRENCY: { [Name in JobName]: number } = { 'hold-expiry': 10, admission: 1, sweep: 1, relay: 1, webhook: 25, cancellation: 2 };

/**
 * A job whose worker died, or never heard that it was given the job, is given to another within about 7 s: it says so often that it lives, and the others look
 * that often. A worker that was only busy for so long finds its job done twice, which every handler bears.
 */
const STALLED = { lockDuration: 4000, stalledInterval: 1500, maxStalledCount: 10 };

/** The jobs that come by themselves, every so many ms. */
export type Beats = Record<'admission' | 'sweep' | 'relay', number>;
/** A beat is known to Redis alone: when Redis has lost it, it is set again within this time. Setting one that is there puts no turn off. */
const BEATS_SET_EVERY_MS = 2000;

export interface Workers {
  /** Takes no new job and finishes those that run; what a silent store keeps longer than the grace is left to another worker. */
  close(graceMs: number): Promise<void>;
}

export async function startWorkers(handlers: Handlers, beats: Beats, jobs: Jobs, redisAddress: string, counters: Counters, logger: Logger): Promise<Workers> {
  const connection = connectPatient(redisAddress, logger);
  const workers = (Object.keys(handlers) as JobName[]).map((name) => startWorker(name, handlers, connection, counters, logger));
  await Promise.all(workers.map((worker) => worker.waitUntilReady()));
  const stopKeeping = await keepBeats(beats, jobs, connection, logger);
  return {
    close: async (graceMs) => {
      stopKeeping();
      const closing = Promise.all(workers.map((worker) => worker.close()));
      await within(closing, graceMs).catch((error: unknown) => logger.warn({ err: error }, 'jobs are left unfinished'));
      connection.disconnect();
    },
  };
}

async function keepBeats(beats: Beats, jobs: Jobs, connection: Redis, logger: Logger): Promise<() => void> {
  const setBeats = async (): Promise<void> => {
    for (const name of Object.keys(beats) as (keyof Beats)[]) await jobs.schedule(name, beats[name], {});
  };
  await setBeats();
  let setting: Promise<void> | null = null;
  const setAgain = (): void => {
    setting ??= setBeats()
      .catch((error: unknown) => logger.warn({ err: error }, 'beats not set; tried again soon'))
      .finally(() => (setting = null));
  };
  connection.on('ready', setAgain);
  const timer = setInterval(setAgain, BEATS_SET_EVERY_MS);
  return () => {
    connection.off('ready', setAgain);
    clearInterval(timer);
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
    { connection, prefix: keys.jobs(), concurrency: CONCURRENCY[name], ...STALLED },
  );
  worker.on('failed', (job, error) => logger.error({ err: error, job: name, id: job?.id, attempts: job?.attemptsMade }, 'job failed'));
  worker.on('error', (error) => logger.warn({ err: error, job: name }, 'worker connection'));
  return worker;
}
