import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Scale } from '../drill.js';
import type { Count } from './history.js';

/** What a run of a drill found out, as it is printed and kept. */
export type Verdict = 'PASSED' | 'FAILED' | 'UNKNOWN';

export interface ReportedViolation {
  kind: string;
  what: string;
  /** Lines of the history, the first of them. */
  history: string[];
}

export interface Report {
  drill: string;
  proves: string;
  seed: number;
  scale: Scale;
  /** What was drilled. */
  commit: string;
  verdict: Verdict;
  startedAt: string;
  tookSeconds: number;
  parts: { name: string; tookSeconds: number }[];
  figures: Record<string, number | string>;
  /** By the name of the operation. */
  operations: Record<string, Count>;
  /** Why operations failed or are unknown. */
  codes: Record<string, number>;
  /** What was found, beyond the ones that are listed. */
  violationCount: number;
  violations: ReportedViolation[];
  /** Why the verdict is UNKNOWN. */
  cause?: string;
}

const FOLDER = join(import.meta.dirname, '..', 'reports');

export const fileOf = ({ drill, seed, scale }: Pick<Report, 'drill' | 'seed' | 'scale'>): string =>
  join(FOLDER, `${drill}-seed${seed}${scale === 'small' ? '-small' : ''}.json`);

/** The commit of the working tree, `+changes` if there are any; `unknown` where there is no git. */
export function commitOf(folder = import.meta.dirname): string {
  const git = (...args: string[]) => spawnSync('git', args, { cwd: folder, encoding: 'utf8' });
  const [head, changes] = [git('rev-parse', '--short', 'HEAD'), git('status', '--porcelain')];
  if (head.status !== 0 || changes.status !== 0) return 'unknown';
  return `${head.stdout.trim()}${changes.stdout === '' ? '' : '+changes'}`;
}

export function saveReport(report: Report): string {
  mkdirSync(FOLDER, { recursive: true });
  const file = fileOf(report);
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  return file;
}

export function readReports(): Report[] {
  let files: string[] = [];
  try {
    files = readdirSync(FOLDER).filter((file) => file.endsWith('.json')).sort();
  } catch {
    // No drill was run yet.
  }
  return files.map((file) => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Report);
}

/** What is printed at the end of a run. */
export function linesOf(report: Report): string[] {
  const counts = Object.entries(report.operations).map(([name, { ok, fail, unknown }]) => `  ${name.padEnd(24)} ${ok} ok, ${fail} fail, ${unknown} unknown`);
  const codes = Object.entries(report.codes).map(([name, count]) => `  ${name.padEnd(40)} ${count}`);
  const figures = Object.entries(report.figures).map(([name, value]) => `  ${name.padEnd(40)} ${value}`);
  const parts = report.parts.map(({ name, tookSeconds }) => `  ${name.padEnd(40)} ${tookSeconds.toFixed(1)} s`);
  return [
    `${report.drill} (${report.scale}, seed ${report.seed}): ${report.verdict} after ${report.tookSeconds.toFixed(1)} s`,
    ...(report.cause ? [`  ${report.cause}`] : []),
    ...listed('parts', parts), ...listed('operations', counts), ...listed('not ok', codes), ...listed('figures', figures), ...violationLines(report),
  ];
}

const listed = (title: string, lines: string[]): string[] => (lines.length === 0 ? [] : [`${title}:`, ...lines]);

export function violationLines({ violationCount, violations }: Pick<Report, 'violationCount' | 'violations'>): string[] {
  if (violationCount === 0) return [];
  const lines = violations.flatMap(({ kind, what, history }) => [`  ${kind}: ${what}`, ...history.map((line) => `      ${line}`)]);
  const more = violationCount - violations.length;
  return [`violations: ${violationCount}`, ...lines, ...(more > 0 ? [`  … ${more} more`] : [])];
}
