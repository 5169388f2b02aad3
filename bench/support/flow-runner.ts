import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { cpuUsOf } from './cpu.js';
import { Histogram } from './histogram.js';
import { HttpConnection, requestOf } from './http-connection.js';
import type { FlowPerson, FlowsJob, FlowsResult, FlowStep, Second } from './load-jobs.js';

/** People who go through several steps one after the other, each of them once. */

const ERRORS_SHOWN = 5;
/** How often users come and go. */
const CROWD_BEAT_MS = 50;
const WAIT_MS = 5;
/** Of one person for one step. */
const WAITS_MAX = 2000;
const PLACEHOLDER = /\{\{(\w+)\}\}/;

class StepTally {
  readonly times = new Histogram();
  answered = 0;
  refused = 0;
  errors = 0;
  waited = 0;

  constructor(readonly name: string) {}
}

export class SecondTally {
  readonly times = new Histogram();
  users = 0;
  errors = 0;
  completed = 0;
}

interface Prepared extends FlowStep {
  /** Fixed text and names of values, in turn. */
  parts: string[];
  found: [name: string, expression: RegExp][];
  tally: StepTally;
}

/** Somebody between two steps. */
interface Walker {
  person: FlowPerson;
  next: number;
}

type Outcome = 'done' | 'refused' | 'failed' | 'waits';

const peopleOf = new Map<string, FlowPerson[]>();

function readPeople(file: string): FlowPerson[] {
  let people = peopleOf.get(file);
  if (!people) peopleOf.set(file, (people = JSON.parse(readFileSync(file, 'utf8')) as FlowPerson[]));
  return people;
}

export class FlowRunner {
  readonly #steps: Prepared[];
  readonly #people: FlowPerson[];
  readonly #all = new Histogram();
  readonly #seconds: SecondTally[] = [];
  readonly #firstErrors: string[] = [];
  readonly #counts = { completed: 0, refused: 0, failed: 0 };
  readonly #startedAt = performance.now();
  readonly #totalMs: number;
  #taken: number;
  #ranOut = false;
  #users = 0;

  constructor(private readonly job: FlowsJob) {
    this.#people = readPeople(job.people);
    this.#taken = job.from;
    this.#totalMs = job.stages.reduce((sum, { ms }) => sum + ms, 0);
    this.#steps = job.steps.map((step) => ({
      ...step,
      parts: step.body.split(PLACEHOLDER),
      found: Object.entries(step.finds ?? {}).map(([name, source]) => [name, new RegExp(source)]),
      tally: new StepTally(step.name),
    }));
  }

  async run(): Promise<FlowsResult> {
    const before = this.job.pids.map(cpuUsOf);
    const users: Promise<void>[] = [];
    while (this.#now < this.#totalMs && this.#taken < this.job.to) {
      while (users.length < this.#usersWanted()) users.push(this.#user(users.length));
      await delay(CROWD_BEAT_MS);
    }
    await Promise.all(users);
    const seconds = this.#now / 1000;
    return {
      ...this.#counts, seconds, used: this.#taken - this.job.from, ranOut: this.#ranOut, firstErrors: this.#firstErrors,
      cpuUs: this.job.pids.map((pid, index) => cpuUsOf(pid) - before[index]!),
      steps: this.#steps.map(({ tally: { name, answered, refused, errors, waited, times } }) => ({ name, answered, refused, errors, waited, times: times.times() })),
      times: this.#all.times(),
      timeline: timelineOf(this.#seconds),
    };
  }

  get #now(): number {
    return performance.now() - this.#startedAt;
  }

  #usersWanted(): number {
    const [only, ...more] = this.job.stages;
    if (more.length === 0) return only!.users;
    let [at, before] = [0, 0];
    for (const { ms, users } of this.job.stages) {
      if (this.#now < at + ms) return Math.max(1, Math.round(before + (users - before) * ((this.#now - at) / ms)));
      at += ms;
      before = users;
    }
    return 0;
  }

  /** One after the other, over a connection of its own, until there is no room for this user any more. */
  async #user(index: number): Promise<void> {
    let connection = await HttpConnection.open(this.job.port);
    this.#users += 1;
    const ahead: Walker[] = [];
    while (this.#now < this.#totalMs && (this.job.stages.length === 1 || index < this.#usersWanted())) {
      const walker = await this.#nextWalker(connection, ahead);
      if (!walker) break;
      const outcome = await this.#walk(connection, walker);
      if (outcome === 'waits') ahead.push(walker);
      else if (outcome === 'failed') {
        connection.close();
        connection = await HttpConnection.open(this.job.port);
      }
    }
    // Who has begun goes on to the end.
    for (const walker of ahead) while ((await this.#walk(connection, walker)) === 'waits') await delay(WAIT_MS);
    this.#users -= 1;
    connection.close();
  }

  /** The next one; where people wait in line after the first step, others take it meanwhile. */
  async #nextWalker(connection: HttpConnection, ahead: Walker[]): Promise<Walker | undefined> {
    const wanted = this.job.ahead ?? 0;
    while (wanted > 0 && ahead.length < wanted) {
      const walker = this.#newcomer();
      if (!walker) break;
      if ((await this.#step(connection, walker)) === 'done') ahead.push(walker);
    }
    return ahead.shift() ?? (wanted > 0 ? undefined : this.#newcomer());
  }

  #newcomer(): Walker | undefined {
    if (this.#taken >= this.job.to) {
      this.#ranOut ||= this.#now < this.#totalMs;
      return undefined;
    }
    this.#taken += 1;
    return { person: { ...this.#people[this.#taken - 1]! }, next: 0 };
  }

  /** To the end of the flow, or as far as it goes. */
  async #walk(connection: HttpConnection, walker: Walker): Promise<Outcome> {
    while (walker.next < this.#steps.length) {
      const outcome = await this.#step(connection, walker);
      if (outcome !== 'done') return outcome;
    }
    this.#counts.completed += 1;
    this.#second().completed += 1;
    return 'done';
  }

  async #step(connection: HttpConnection, walker: Walker): Promise<Outcome> {
    const step = this.#steps[walker.next]!;
    const sentAt = performance.now();
    try {
      const { status, body } = await connection.send(this.#requestOf(step, walker.person));
      this.#time(step, performance.now() - sentAt);
      const text = body.toString();
      if (step.waits && text.includes(step.waits)) return await this.#wait(step, walker);
      if (status !== 200 || text.includes('"errors"')) return this.#fail(step, `${status} ${text.slice(0, 300)}`);
      if (!text.includes(step.succeeds)) return this.#refuse(step, text);
      for (const [name, expression] of step.found) walker.person[name] = expression.exec(text)?.[1] ?? '';
      walker.next += 1;
      return 'done';
    } catch (error) {
      return this.#fail(step, String(error));
    }
  }

  async #wait(step: Prepared, walker: Walker): Promise<Outcome> {
    step.tally.waited += 1;
    const waits = (Number(walker.person['waits'] ?? 0) || 0) + 1;
    walker.person['waits'] = waits;
    if (waits > WAITS_MAX) return this.#fail(step, 'waits for ever');
    await delay(WAIT_MS);
    return 'waits';
  }

  #requestOf({ parts, path, withQueueToken }: Prepared, person: FlowPerson): string {
    let body = '';
    for (let index = 0; index < parts.length; index += 1) body += index % 2 === 0 ? parts[index]! : String(person[parts[index]!]);
    return requestOf(body, { accessToken: String(person['accessToken']), ...(path ? { path } : {}), ...(withQueueToken ? { queueToken: String(person['queueToken']) } : {}) });
  }

  #second(): SecondTally {
    return (this.#seconds[Math.floor(this.#now / 1000)] ??= new SecondTally());
  }

  #time(step: Prepared, ms: number): void {
    step.tally.answered += 1;
    step.tally.times.add(ms);
    this.#all.add(ms);
    const second = this.#second();
    second.times.add(ms);
    second.users = Math.max(second.users, this.#users);
  }

  #refuse(step: Prepared, text: string): Outcome {
    step.tally.refused += 1;
    this.#counts.refused += 1;
    this.#note(`${step.name} was refused: ${text.slice(0, 300)}`);
    return 'refused';
  }

  #fail(step: Prepared, what: string): Outcome {
    step.tally.errors += 1;
    this.#counts.failed += 1;
    this.#second().errors += 1;
    this.#note(`${step.name}: ${what}`);
    return 'failed';
  }

  #note(what: string): void {
    if (this.#firstErrors.length < ERRORS_SHOWN) this.#firstErrors.push(what);
  }
}

/** Each second has its place, also one in which nobody was answered. */
export const timelineOf = (seconds: readonly SecondTally[]): Second[] => Array.from(seconds, secondOf);

function secondOf({ times, users, errors, completed } = new SecondTally(), second: number): Second {
  return { second, users, answered: times.count, errors, averageMs: times.averageMs, p95Ms: times.quantileMs(0.95), completed };
}
