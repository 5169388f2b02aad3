import type { DrillRun } from '../drill.js';
import type { Operation } from './history.js';

/** No request waits longer for its answer than Frontrow's deadline. */

const DEADLINE_MS = 5000;
/** For the way there and back, on a machine that does everything at once. */
const MARGIN_MS = 1000;

/** Calls without an answer: their connection broke, or the client gave up. */
const isAnswered = ({ outcome, code }: Operation): boolean => outcome !== null && !(outcome === 'unknown' && (code === 'TIMEOUT' || code === 'CUT_OFF' || /^E[A-Z]+$/.test(code ?? '') || code === 'socket hang up'));

export interface AnswerTimes {
  /** A silent network may leave calls without any answer; a dead process breaks their connections. */
  timeoutsAllowed?: boolean;
  /** Which calls; all of them unless told. */
  operations?: readonly Operation[];
}

export function expectAnswersInTime(run: DrillRun, { timeoutsAllowed = false, operations = run.history.operations }: AnswerTimes = {}): void {
  const answered = operations.filter(isAnswered);
  const times = answered.map(({ invokedAt, endedAt }) => endedAt! - invokedAt).sort((a, b) => a - b);
  const at = (share: number): number => Math.round(times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0);
  run.figure('answers', times.length);
  run.figure('answer time p50, p99, max, ms', `${at(0.5)}, ${at(0.99)}, ${at(1)}`);
  const late = answered.filter(({ invokedAt, endedAt }) => endedAt! - invokedAt > DEADLINE_MS + MARGIN_MS);
  run.violations(late.map((operation) => ({ kind: 'late-answer', what: `${operation.name} was answered after ${Math.round(operation.endedAt! - operation.invokedAt)} ms`, operations: [operation] })));
  const silent = operations.filter(({ code }) => code === 'TIMEOUT');
  run.figure('calls without any answer in time', silent.length);
  if (!timeoutsAllowed) run.violations(silent.map((operation) => ({ kind: 'no-answer', what: `${operation.name} had no answer in time`, operations: [operation] })));
}
