import { readFileSync } from 'node:fs';
import type { History } from './history.js';

/** One that waits for a processor is told apart from one that is slow: the kernel counts how long a process could have run and was not let. */
export interface Starvation {
  /** How long the process, or this one, was kept from running between two times of the history, in ms. */
  during(node: string, from: number, to: number): number;
  /** The worst second of any of them, in ms. */
  worstSecondMs(): number;
}

interface Watched {
  readonly name: string;
  readonly pid: number;
}

interface Sample {
  at: number;
  waitedMs: number;
}

const SAMPLE_EVERY_MS = 200;
const SAMPLES_A_SECOND = 1000 / SAMPLE_EVERY_MS;
const SELF = '';

const watched = new WeakMap<History, Starvation[]>();

/** Of all that were watched while this history was written. */
export const starvationOf = (history: History): Starvation => {
  const all = watched.get(history) ?? [];
  return {
    during: (node, from, to) => all.reduce((sum, one) => sum + one.during(node, from, to), 0),
    worstSecondMs: () => Math.max(0, ...all.map((one) => one.worstSecondMs())),
  };
};

/** Until the answer is called. Where the kernel does not tell, nobody was kept waiting. */
export function watchStarvation(history: History, nodes: readonly Watched[]): () => void {
  const series = new Map<string, Sample[]>([SELF, ...nodes.map(({ name }) => name)].map((name) => [name, []]));
  const before = new Map<string, { pid: number; waitedMs: number }>();
  const note = (name: string, pid: number, at: number, extraMs = 0): void => {
    const waitedMs = pid === 0 ? 0 : waitedOf(pid);
    const last = before.get(name);
    before.set(name, { pid, waitedMs });
    // A process that has just begun has been waiting, too.
    const more = last?.pid === pid ? waitedMs - last.waitedMs : waitedMs;
    series.get(name)!.push({ at, waitedMs: Math.max(0, more) + extraMs });
  };
  // What this one waited for in an earlier drill is not this drill's.
  before.set(SELF, { pid: process.pid, waitedMs: waitedOf(process.pid) });
  let dueAt = performance.now() + SAMPLE_EVERY_MS;
  const timer = setInterval(() => {
    const late = Math.max(0, performance.now() - dueAt);
    dueAt = performance.now() + SAMPLE_EVERY_MS;
    const at = history.now();
    // This one is the clients and their network: what keeps it busy keeps every answer.
    note(SELF, process.pid, at, late);
    for (const { name, pid } of nodes) note(name, pid, at);
  }, SAMPLE_EVERY_MS);
  const of = (name: string, from: number, to: number): number =>
    (series.get(name) ?? []).filter(({ at }) => at >= from && at <= to + SAMPLE_EVERY_MS).reduce((sum, { waitedMs }) => sum + waitedMs, 0);
  const starvation: Starvation = {
    during: (node, from, to) => of(SELF, from, to) + (node === SELF ? 0 : of(node, from, to)),
    worstSecondMs: () => Math.round(Math.max(0, ...[...series.values()].flatMap((samples) => samples.map((_, index) => samples.slice(index, index + SAMPLES_A_SECOND).reduce((sum, { waitedMs }) => sum + waitedMs, 0))))),
  };
  watched.set(history, [...(watched.get(history) ?? []), starvation]);
  return () => clearInterval(timer);
}

/** Of its main thread, which is the one that answers. */
function waitedOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}
