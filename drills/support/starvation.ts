import { readFileSync } from 'node:fs';
import type { History } from './history.js';

/** One that waits for a processor is told apart from one that is slow: the kernel counts how long a process could have run and was not let. */
export interface Starvation {
  /** How long the process, or this one, was kept from running between two times of the history, in ms; no longer than that is. */
  during(node: string, from: number, to: number): number;
  /** The worst second of any of them, in ms. */
  worstSecondMs(): number;
}

interface Watched {
  readonly name: string;
  readonly pid: number;
}

interface Sample {
  from: number;
  to: number;
  /** By name: no longer than the sample. */
  waitedMs: ReadonlyMap<string, number>;
}

const SAMPLE_EVERY_MS = 200;
const SECOND_MS = 1000;
const SELF = '';

const watched = new WeakMap<History, Starvation[]>();

/** Of all that were watched while this history was written. Each of them watched this process, too, which has waited once. */
export const starvationOf = (history: History): Starvation => {
  const all = watched.get(history) ?? [];
  return {
    during: (node, from, to) => Math.max(0, ...all.map((one) => one.during(node, from, to))),
    worstSecondMs: () => Math.max(0, ...all.map((one) => one.worstSecondMs())),
  };
};

/** Until the answer is called. Where the kernel does not tell, nobody was kept waiting. */
export function watchStarvation(history: History, nodes: readonly Watched[]): () => void {
  const waits = new Waits(nodes, history.now());
  const timer = setInterval(() => waits.look(history.now()), SAMPLE_EVERY_MS);
  watched.set(history, [...(watched.get(history) ?? []), waits]);
  return () => clearInterval(timer);
}

export class Waits implements Starvation {
  readonly #all: readonly Watched[];
  readonly #before = new Map<string, { pid: number; waitedMs: number }>();
  readonly #samples: Sample[] = [];

  constructor(
    nodes: readonly Watched[],
    private lookedAt: number,
    private readonly waitedOf: (pid: number) => number = waitedOfMainThread,
  ) {
    // This one is the clients and their network: what keeps it busy keeps every answer.
    this.#all = [{ name: SELF, pid: process.pid }, ...nodes];
    for (const one of this.#all) this.#moreOf(one);
  }

  look(now: number): void {
    const [from, tookMs] = [this.lookedAt, now - this.lookedAt];
    // A late look is mostly the same wait that the kernel counts for this process.
    const lateMs = tookMs - SAMPLE_EVERY_MS;
    const waitedMs = new Map(this.#all.map((one) => [one.name, Math.min(tookMs, Math.max(0, this.#moreOf(one), one.name === SELF ? lateMs : 0))]));
    this.#samples.push({ from, to: now, waitedMs });
    this.lookedAt = now;
  }

  during(node: string, from: number, to: number): number {
    // Both may have waited at the same moment.
    return sumOf(this.#samples, from, to, ({ waitedMs }) => Math.max(waitedMs.get(SELF)!, waitedMs.get(node) ?? 0));
  }

  worstSecondMs(): number {
    const seconds = this.#samples.flatMap(({ to }, index) => {
      const recent = this.#samples.slice(Math.max(0, index - SECOND_MS / SAMPLE_EVERY_MS), index + 1);
      return this.#all.map(({ name }) => sumOf(recent, to - SECOND_MS, to, ({ waitedMs }) => waitedMs.get(name)!));
    });
    return Math.round(seconds.reduce((worst, ms) => Math.max(worst, ms), 0));
  }

  /** Since the last look. What a process waited for before it was first seen, as while it started, excuses nothing later. */
  #moreOf({ name, pid }: Watched): number {
    const waitedMs = pid === 0 ? 0 : this.waitedOf(pid);
    const last = this.#before.get(name);
    this.#before.set(name, { pid, waitedMs });
    return last?.pid === pid ? waitedMs - last.waitedMs : 0;
  }
}

/** Nobody waits for longer than a sample and the time that is asked for have in common. */
function sumOf(samples: readonly Sample[], from: number, to: number, waitedMs: (sample: Sample) => number): number {
  return samples.reduce((sum, sample) => sum + Math.max(0, Math.min(waitedMs(sample), sample.to - from, to - sample.from, to - from)), 0);
}

/** It is the main thread that answers. */
function waitedOfMainThread(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}
