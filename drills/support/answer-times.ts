import { CannotTell, type DrillRun } from '../drill.js';
import type { Operation } from './history.js';
import { starvationOf } from './starvation.js';

/** No request waits longer for its answer than Frontrow's deadline; the time for which the machine let a process not run is not counted. Called last: a machine that was too slow ends the drill. */

const DEADLINE_MS = 5000;
/** For the way there and back, on a machine that does everything at once. */
const MARGIN_MS = 1000;
/** Of all answers: a machine that lets more of them wait for a processor does not tell how fast anything is. */
const EXCUSED_SHARE_MAX = 0.02;

/** Calls without an answer: their connection broke, or the client gave up. */
const isAnswered = ({ outcome, code }: Operation): boolean => outcome !== null && !(outcome === 'unknown' && (code === 'TIMEOUT' || code === 'CUT_OFF' || /^E[A-Z]+$/.test(code ?? '') || code === 'socket hang up'));

export interface AnswerTimes {
  /** Which calls; all of them unless told. */
  operations?: readonly Operation[];
  /** How many the drill itself has excused. */
  excused?: number;
}

export function expectAnswersInTime(run: DrillRun, { operations = run.history.operations, excused: before = 0 }: AnswerTimes = {}): void {
  const answered = operations.filter(isAnswered);
  const times = answered.map(({ invokedAt, endedAt }) => endedAt! - invokedAt).sort((a, b) => a - b);
  const at = (share: number): number => Math.round(times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0);
  run.figure('answers', times.length);
  run.figure('answer time p50, p99, max, ms', `${at(0.5)}, ${at(0.99)}, ${at(1)}`);
  const starvation = starvationOf(run.history);
  const kept = ({ node, invokedAt, endedAt }: Operation): number => starvation.during(node, invokedAt, endedAt!);
  const isLate = (operation: Operation): boolean => operation.endedAt! - operation.invokedAt > DEADLINE_MS + MARGIN_MS;
  const isOwnFault = (operation: Operation): boolean => operation.endedAt! - operation.invokedAt - kept(operation) > DEADLINE_MS + MARGIN_MS;
  const late = answered.filter(isLate);
  const silent = operations.filter(({ code }) => code === 'TIMEOUT');
  run.figure('calls without any answer in time', silent.length);
  const lateOrSilent = [...late, ...silent].filter((operation) => !isOwnFault(operation)).length;
  run.figure('late or silent for want of a processor', lateOrSilent);
  run.figure('longest wait for a processor within a second, ms', starvation.worstSecondMs());
  run.violations(late.filter(isOwnFault).map((operation) => ({ kind: 'late-answer', what: `${operation.name} was answered after ${lengthOf(operation, kept)}`, operations: [operation] })));
  run.violations(silent.filter(isOwnFault).map((operation) => ({ kind: 'no-answer', what: `${operation.name} had no answer in ${lengthOf(operation, kept)}`, operations: [operation] })));
  const excused = before + lateOrSilent;
  if (excused > times.length * EXCUSED_SHARE_MAX) throw new CannotTell(`The machine was too slow to tell: ${excused} of ${times.length} answers were late, silent or given up for want of a processor.`);
}

const lengthOf = (operation: Operation, kept: (operation: Operation) => number): string =>
  `${Math.round(operation.endedAt! - operation.invokedAt)} ms, of which it was kept from running for ${Math.round(kept(operation))} ms`;
