import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { CannotTell, type DrillRun } from '../drill.js';
import { mutantEnv } from '../inject/environment.js';
import type { FrontrowNode } from './processes.js';

/** Memory and descriptors of each process over its life: what grows for ever is a leak. */

/** A process has read its modules, filled its pools and compiled what it runs often. */
const WARM_AFTER_MINUTES = 3;
/** Only so long a look tells growth from coming and going. */
const TREND_AFTER_MINUTES = 6;
/** Of a round that must show growth or its absence. */
export const GROWTH_IS_JUDGED_AFTER_MINUTES = 10;
const SLOPE_MAX_MB_A_MINUTE = 1;
const GROWTH_MAX_MB = 250;
const DESCRIPTORS_GROWTH_MAX = 100;
const TOLD_WITHIN_MS = 5000;
const ASK_EVERY_MS = 50;
/** Said at once, before there is garbage again. */
const TELLS = "process.on('SIGUSR2', () => { gc(); const { heapUsed, external } = process.memoryUsage(); console.log('keeps ' + (heapUsed + external)); })";
const BYTES_IN_MB = 1024 * 1024;

interface Sample {
  minutes: number;
  mb: number;
  descriptors: number;
}

/** For a process that is to be asked what it keeps: garbage that V8 has not collected yet, which may grow for a long time, is no leak. */
export function keptMemoryEnv(): Record<string, string> {
  const { NODE_OPTIONS = '' } = mutantEnv();
  return { NODE_OPTIONS: `${NODE_OPTIONS} --expose-gc --import=data:text/javascript,${encodeURIComponent(TELLS)}`.trim() };
}

export class Residence {
  readonly #startedAt = performance.now();
  /** By process and pid: one that was started again begins anew. */
  readonly #series = new Map<string, Sample[]>();
  /** What these keep is seen only because they live through everything. */
  readonly #kept: ReadonlyMap<FrontrowNode, { minutes: number; mb: number }[]>;

  /** The nodes were started with `keptMemoryEnv`. */
  constructor(
    private readonly run: DrillRun,
    lasting: readonly FrontrowNode[],
  ) {
    this.#kept = new Map(lasting.map((node) => [node, []]));
  }

  /** When nothing is broken. */
  async sample(nodes: readonly FrontrowNode[]): Promise<void> {
    for (const { name, pid } of nodes) {
      if (pid === 0) continue;
      const key = `${name} (${pid})`;
      const series = this.#series.get(key) ?? [];
      this.#series.set(key, series);
      series.push({ minutes: this.#minutes(), mb: residentMb(pid), descriptors: readdirSync(`/proc/${pid}/fd`).length });
    }
    for (const [node, series] of this.#kept) {
      const mb = await this.#keptMb(node);
      if (mb === null) continue;
      series.push({ minutes: this.#minutes(), mb });
      this.run.say(`${node.name} keeps ${mb.toFixed(1)} MB`);
    }
  }

  judge(): void {
    const { run } = this;
    let longest = 0;
    for (const [name, all] of this.#series) {
      const [first, last] = [all[0]!, all.at(-1)!];
      longest = Math.max(longest, last.minutes - first.minutes);
      run.expect(last.mb - first.mb <= GROWTH_MAX_MB, `the memory of ${name} grows by no more than ${GROWTH_MAX_MB} MB: it went from ${first.mb} to ${last.mb} MB`);
      run.expect(last.descriptors - first.descriptors <= DESCRIPTORS_GROWTH_MAX, `the descriptors of ${name} stay: they went from ${first.descriptors} to ${last.descriptors}`);
    }
    const slopes = this.#slopes();
    for (const [name, slope] of slopes) run.expect(slope <= SLOPE_MAX_MB_A_MINUTE, `what ${name} keeps in memory is flat: it grows by ${slope.toFixed(2)} MB a minute`);
    const samples = [...this.#series.values()].flat();
    if (samples.length === 0) return;
    run.figure('memory of a process, from and to, MB', `${Math.min(...samples.map(({ mb }) => mb))}, ${Math.max(...samples.map(({ mb }) => mb))}`);
    run.figure('descriptors of a process, from and to', `${Math.min(...samples.map(({ descriptors }) => descriptors))}, ${Math.max(...samples.map(({ descriptors }) => descriptors))}`);
    run.figure('longest life that was watched, minutes', Number(longest.toFixed(1)));
    run.figure('growth of what a warm process keeps, MB a minute', [...slopes].map(([name, slope]) => `${name} ${slope.toFixed(2)}`).join(', ') || 'not judged: none was watched for long enough');
  }

  /** Each that was to last must have been watched for long enough to tell. */
  requireTrend(): void {
    if (this.#kept.size === 0) throw new CannotTell('Whether memory is flat was not seen: no process was left alone all the time.');
    const slopes = this.#slopes();
    const missing = [...this.#kept.keys()].filter(({ name }) => !slopes.has(name)).map(({ name }) => name);
    if (missing.length > 0) throw new CannotTell(`Whether memory is flat was not seen: ${missing.join(', ')} was not watched for ${TREND_AFTER_MINUTES} minutes after a warm-up of ${WARM_AFTER_MINUTES}.`);
  }

  /** On the heap and beside it; null where nobody answers. */
  async #keptMb(node: FrontrowNode): Promise<number | null> {
    const { pid } = node;
    const told = (): string[] => node.log().match(/^keeps \d+$/gm) ?? [];
    const before = told().length;
    if (pid === 0) return null;
    process.kill(pid, 'SIGUSR2');
    for (const endsAt = performance.now() + TOLD_WITHIN_MS; performance.now() < endsAt; ) {
      await delay(ASK_EVERY_MS, undefined, { signal: this.run.signal });
      const all = told();
      if (all.length > before) return Number(all.at(-1)!.split(' ')[1]) / BYTES_IN_MB;
    }
    return null;
  }

  #minutes(): number {
    return (performance.now() - this.#startedAt) / 60_000;
  }

  /** Of those that were watched for long enough, in MB a minute. */
  #slopes(): Map<string, number> {
    const warm = [...this.#kept].map(([{ name }, all]) => [name, all.filter(({ minutes }) => minutes >= WARM_AFTER_MINUTES)] as const);
    return new Map(warm.filter(([, all]) => all.length > 1 && all.at(-1)!.minutes - all[0]!.minutes >= TREND_AFTER_MINUTES).map(([name, all]) => [name, slopeOf(all)]));
  }
}

const residentMb = (pid: number): number => Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);

/** Of the straight line that fits best. */
function slopeOf(samples: readonly { minutes: number; mb: number }[]): number {
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(samples.map(({ minutes }) => minutes)), mean(samples.map(({ mb }) => mb))];
  const over = samples.reduce((sum, { minutes, mb }) => sum + (minutes - x) * (mb - y), 0);
  return over / samples.reduce((sum, { minutes }) => sum + (minutes - x) ** 2, 0);
}
