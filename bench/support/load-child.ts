import { answerJobs } from './answer-jobs.js';
import { stayAwake } from './awake.js';
import { cpuUsOf } from './cpu.js';
import { Histogram } from './histogram.js';
import { HttpConnection } from './http-connection.js';
import { FlowRunner } from './flow-runner.js';
import { mistakeIn } from './mistake.js';
import type { LoadJob, RequestsJob, RequestsResult } from './load-jobs.js';

/** A load process: takes one job at a time, by the path of its file, and answers what came of it. */

const ERRORS_SHOWN = 3;
const ERRORS_MAX = 1000;

class Tally {
  readonly times = new Histogram();
  readonly firstErrors: string[] = [];
  answered = 0;
  errors = 0;

  error(what: string): void {
    this.errors += 1;
    if (this.firstErrors.length < ERRORS_SHOWN) this.firstErrors.push(what);
  }
}

/** So many at once as a server's queue of those who want to connect surely takes: where it is full they try again a second later. */
const OPENED_AT_ONCE = 200;

async function openAll({ connections, port, greeting }: RequestsJob): Promise<HttpConnection[]> {
  const open = async (): Promise<HttpConnection> => {
    const connection = await HttpConnection.open(port);
    if (greeting) await connection.send(greeting);
    return connection;
  };
  const all: HttpConnection[] = [];
  while (all.length < connections) all.push(...(await Promise.all(Array.from({ length: Math.min(OPENED_AT_ONCE, connections - all.length) }, open))));
  return all;
}

async function sendAll(job: RequestsJob): Promise<RequestsResult> {
  const connections = await openAll(job);
  const requests = job.requests.map((request) => Buffer.from(request));
  const tally = new Tally();
  const counts = Object.fromEntries((job.count ?? []).map((word) => [word, 0]));
  const before = job.pids.map(cpuUsOf);
  const startedAt = performance.now();
  const endsAt = job.durationMs === undefined ? Infinity : startedAt + job.durationMs;
  let taken = 0;
  const rest = job.awake ? stayAwake() : undefined;
  const next = (): Buffer | undefined => {
    if (performance.now() >= endsAt || tally.errors > ERRORS_MAX) return undefined;
    taken += 1;
    return job.durationMs === undefined ? requests[taken - 1] : requests[(taken - 1) % requests.length];
  };
  const work = async (connection: HttpConnection): Promise<void> => {
    for (let request = next(); request; request = next()) {
      const sentAt = performance.now();
      const answer = await connection.send(request);
      tally.times.add(performance.now() - sentAt);
      tally.answered += 1;
      const mistake = mistakeIn(answer, job);
      if (mistake) tally.error(mistake);
      for (const word of job.count ?? []) if (answer.body.includes(word)) counts[word]! += 1;
    }
  };
  await Promise.all(connections.map((connection) => work(connection).catch((error: unknown) => tally.error(String(error)))));
  rest?.();
  const seconds = (performance.now() - startedAt) / 1000;
  const cpuUs = job.pids.map((pid, index) => cpuUsOf(pid) - before[index]!);
  for (const connection of connections) connection.close();
  return { answered: tally.answered, errors: tally.errors, firstErrors: tally.firstErrors, counts, seconds, cpuUs, times: tally.times.times() };
}

answerJobs<LoadJob>((job) => (job.kind === 'flows' ? new FlowRunner(job).run() : sendAll(job)));
