import { setTimeout as delay } from 'node:timers/promises';
import { Queue, type Job } from 'bullmq';
import { jobCatalogue, type JobName } from '../../src/redis/jobs.js';
import { keys } from '../../src/redis/keys.js';
import type { DrillRun } from '../drill.js';
import type { FrontrowNode } from './processes.js';
import type { Random } from './random.js';
import type { World } from './world.js';

/** Jobs that are lost, done again, early and late, as seen from the queues: a job is a hint, whatever becomes of it. */

const MEDDLED: readonly JobName[] = ['hold-expiry', 'webhook', 'cancellation'];
const BEATS: readonly JobName[] = ['admission', 'sweep', 'relay'];
const LOOK_EVERY_MS = 40;
const JOBS_LOOKED_AT = 500;
const LATE_MS = 600_000;
const SHARES = { lost: 0.3, early: 0.2, late: 0.2, duplicated: 0.2 };
const COPIES_MAX = 3;
/** A copy comes while the seats are still held, or when they are somebody else's by then. */
const COPY_DELAY_MAX_MS = 4000;
const OLD_AT_A_TIME = 5;
const BEAT_MEDDLED = 0.05;
const STORM = 200;
const HELD_WITHIN_MS = 9000;

export class Meddler {
  readonly #queues: ReadonlyMap<JobName, Queue>;
  readonly #random: Random;
  readonly #seen = new Set<string>();
  /** Payloads of every hold-expiry job that ever was. */
  readonly #holds: object[] = [];
  readonly #counts = new Map<string, number>();
  #copies = 0;

  constructor(
    private readonly run: DrillRun,
    private readonly world: World,
  ) {
    this.#random = run.random.fork('jobs');
    this.#queues = new Map((Object.keys(jobCatalogue) as JobName[]).map((name) => [name, new Queue(name, { connection: world.app.redis, prefix: keys.jobs() })]));
  }

  /** Until it is over; one job is meddled with once. */
  async until(over: () => boolean): Promise<void> {
    while (!over()) {
      for (const name of MEDDLED) await this.#look(name);
      for (const payload of this.#random.sample(this.#holds, OLD_AT_A_TIME)) await this.#add('hold-expiry', payload, 0, 'old');
      for (const name of BEATS) await this.#beat(name);
      await delay(LOOK_EVERY_MS, undefined, { signal: this.run.signal });
    }
  }

  /** Freezes a worker that has jobs under way; where it is to be seen, until another has been given them. Then it goes on and does them, too. */
  async stall(worker: FrontrowNode, isSeen: boolean, stallMs: number): Promise<void> {
    for (const payload of this.#random.shuffle(this.#holds).slice(0, STORM)) await this.#add('hold-expiry', payload, 0, 'old');
    const { pid } = worker;
    // 0 would be the group of the drill itself.
    if (pid === 0) return this.run.expect(false, `${worker.name} runs when it is to be frozen`);
    process.kill(pid, 'SIGSTOP');
    try {
      await delay(stallMs, undefined, { signal: this.run.signal });
      if (!isSeen) return;
      const [held] = await this.#eventually(() => this.#abandoned());
      this.run.expect(held !== undefined, `${worker.name} was frozen with a job under way`);
      if (held === undefined) return;
      this.#count('stalled', 1);
      const rest = await this.#eventually(async () => ((await this.#abandoned()).includes(held) ? [] : ['given away']));
      this.run.expect(rest.length > 0, `a job of the frozen ${worker.name} was given to another within ${HELD_WITHIN_MS / 1000} s: ${held}`);
    } finally {
      goOn(pid);
    }
  }

  figures(): void {
    for (const [what, count] of [...this.#counts].toSorted()) this.run.figure(`jobs ${what}`, count);
  }

  count(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  async #look(name: JobName): Promise<void> {
    const jobs = (await this.#queues.get(name)!.getJobs(['waiting', 'delayed'], 0, JOBS_LOOKED_AT)) as (Job | undefined)[];
    for (const job of jobs) {
      if (!job?.id || this.#seen.has(`${name} ${job.id}`)) continue;
      this.#seen.add(`${name} ${job.id}`);
      if (name === 'hold-expiry') this.#holds.push(job.data as object);
      await this.#meddle(name, job);
    }
  }

  async #meddle(name: JobName, job: Job): Promise<void> {
    const chance = this.#random.next();
    const { lost, early, late, duplicated } = SHARES;
    if (chance < lost) return this.#try('lost', () => job.remove());
    if (chance < lost + early) return this.#try('early', () => job.promote());
    if (chance < lost + early + late) return this.#try('ten minutes late', () => job.changeDelay(LATE_MS));
    if (chance > lost + early + late + duplicated) return;
    const copies = this.#random.between(1, COPIES_MAX);
    for (let copy = 0; copy < copies; copy += 1) await this.#add(name, job.data as object, this.#random.below(COPY_DELAY_MAX_MS), 'duplicated');
  }

  /** A beat comes twice, or its next turn is lost. */
  async #beat(name: JobName): Promise<void> {
    if (this.#random.chance(BEAT_MEDDLED)) await this.#add(name, {}, 0, 'duplicated');
    if (this.#random.chance(BEAT_MEDDLED / 5)) await this.#try('lost', () => this.#queues.get(name)!.removeJobScheduler(name));
  }

  async #add(name: JobName, payload: object, delayMs: number, what: string): Promise<void> {
    const jobId = `copy-${(this.#copies += 1)}`;
    this.#seen.add(`${name} ${jobId}`);
    await this.#queues.get(name)!.add(name, payload, { jobId, delay: delayMs, removeOnComplete: true, removeOnFail: true });
    this.#count(what, 1);
  }

  /** A worker may be quicker. */
  async #try(what: string, meddle: () => Promise<unknown>): Promise<void> {
    const done = await meddle().then(() => true, () => false);
    if (done) this.#count(what, 1);
  }

  #count(what: string, by: number): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + by);
  }

  /** Under way, but nobody says any more that it lives. */
  async #abandoned(): Promise<string[]> {
    const { redis } = this.world.app;
    const found: string[] = [];
    for (const name of this.#queues.keys()) {
      const base = `${keys.jobs()}:${name}`;
      for (const id of await redis.lrange(`${base}:active`, 0, -1)) if ((await redis.exists(`${base}:${id}:lock`)) === 0) found.push(`${name} ${id}`);
    }
    return found;
  }

  async #eventually(ask: () => Promise<string[]>): Promise<string[]> {
    const endsAt = performance.now() + HELD_WITHIN_MS;
    for (;;) {
      const found = await ask();
      if (found.length > 0 || performance.now() > endsAt) return found;
      await delay(LOOK_EVERY_MS, undefined, { signal: this.run.signal });
    }
  }
}

/** One that died meanwhile need not. */
function goOn(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
