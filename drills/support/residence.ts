import { readdirSync, readFileSync } from 'node:fs';
import { CannotTell, type DrillRun } from '../drill.js';
import type { FrontrowNode } from './processes.js';

/** Memory and descriptors of each process over its life: what grows for ever is a leak. */

/** A process has read its modules, filled its pools and compiled what it runs often. */
const WARM_AFTER_MINUTES = 3;
/** Only so long a look tells growth from the coming and going of garbage. */
const TREND_AFTER_MINUTES = 6;
/** Of a look that must show growth or its absence. */
export const GROWTH_IS_JUDGED_AFTER_MINUTES = 10;
const SLOPE_MAX_MB_A_MINUTE = 2;
const GROWTH_MAX_MB = 250;
const DESCRIPTORS_GROWTH_MAX = 100;

interface Sample {
  minutes: number;
  mb: number;
  descriptors: number;
}

export class Residence {
  readonly #startedAt = performance.now();
  /** By process and pid: one that was started again begins anew. */
  readonly #series = new Map<string, Sample[]>();
  readonly #judged = new Set<string>();

  /** When nothing is broken. */
  sample(nodes: readonly FrontrowNode[]): void {
    for (const { name, pid } of nodes) {
      if (pid === 0) continue;
      const key = keyOf({ name, pid });
      const series = this.#series.get(key) ?? [];
      this.#series.set(key, series);
      series.push({ minutes: (performance.now() - this.#startedAt) / 60_000, mb: residentMb(pid), descriptors: readdirSync(`/proc/${pid}/fd`).length });
    }
  }

  judge(run: DrillRun): void {
    let worstSlope = -Infinity;
    let longest = 0;
    for (const [name, all] of this.#series) {
      const [first, last] = [all[0]!, all.at(-1)!];
      longest = Math.max(longest, last.minutes - first.minutes);
      run.expect(last.mb - first.mb <= GROWTH_MAX_MB, `the memory of ${name} grows by no more than ${GROWTH_MAX_MB} MB: it went from ${first.mb} to ${last.mb} MB`);
      run.expect(last.descriptors - first.descriptors <= DESCRIPTORS_GROWTH_MAX, `the descriptors of ${name} stay: they went from ${first.descriptors} to ${last.descriptors}`);
      const warm = all.filter(({ minutes }) => minutes >= first.minutes + WARM_AFTER_MINUTES);
      if (warm.length < 2 || warm.at(-1)!.minutes - warm[0]!.minutes < TREND_AFTER_MINUTES) continue;
      const slope = slopeOf(warm);
      worstSlope = Math.max(worstSlope, slope);
      this.#judged.add(name);
      run.expect(slope <= SLOPE_MAX_MB_A_MINUTE, `the memory of ${name} is flat: it grows by ${slope.toFixed(2)} MB a minute`);
    }
    const samples = [...this.#series.values()].flat();
    if (samples.length === 0) return;
    run.figure('memory of a process, from and to, MB', `${Math.min(...samples.map(({ mb }) => mb))}, ${Math.max(...samples.map(({ mb }) => mb))}`);
    run.figure('descriptors of a process, from and to', `${Math.min(...samples.map(({ descriptors }) => descriptors))}, ${Math.max(...samples.map(({ descriptors }) => descriptors))}`);
    run.figure('longest life that was watched, minutes', Number(longest.toFixed(1)));
    run.figure('steepest growth of memory of a warm process, MB a minute', worstSlope === -Infinity ? 'not judged: none lived for long enough' : Number(worstSlope.toFixed(2)));
  }

  /** Each of these must have been watched for long enough to tell. */
  requireTrend(nodes: readonly FrontrowNode[]): void {
    if (nodes.length === 0) throw new CannotTell('Whether memory is flat was not seen: no process was left alone all the time.');
    const missing = nodes.map(keyOf).filter((key) => !this.#judged.has(key));
    if (missing.length > 0) throw new CannotTell(`Whether memory is flat was not seen: ${missing.join(', ')} was not watched for ${TREND_AFTER_MINUTES} minutes after a warm-up of ${WARM_AFTER_MINUTES}.`);
  }
}

const keyOf = ({ name, pid }: { name: string; pid: number }): string => `${name} (${pid})`;

const residentMb = (pid: number): number => Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);

/** Of the straight line that fits best. */
function slopeOf(samples: readonly Sample[]): number {
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(samples.map(({ minutes }) => minutes)), mean(samples.map(({ mb }) => mb))];
  const over = samples.reduce((sum, { minutes, mb }) => sum + (minutes - x) * (mb - y), 0);
  return over / samples.reduce((sum, { minutes }) => sum + (minutes - x) ** 2, 0);
}
