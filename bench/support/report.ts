import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Gate, Mode, Plot, Table } from '../bench.js';
import { rounded } from './numbers.js';
import { canPin } from './pin.js';
import type { Verdict } from './verdict.js';

/** What a run of a bench found out, as it is printed and kept. */

export interface JudgedGate extends Gate {
  verdict: Verdict;
}

export interface Report {
  bench: string;
  asks: string;
  mode: Mode;
  /** What was measured. */
  commit: string;
  machine: string;
  startedAt: string;
  tookSeconds: number;
  parts: { name: string; tookSeconds: number }[];
  verdict: Verdict | 'failed';
  /** Why it failed. */
  cause?: string;
  gates: JudgedGate[];
  /** What is right or wrong. */
  checks: { what: string; ok: boolean }[];
  notes: string[];
  tables: Table[];
  plots: Plot[];
}

const FOLDER = join(process.cwd(), 'bench/reports');

const endOf = (mode: Mode): string => (mode === 'quick' ? '-quick.json' : '.json');

export const machineOf = (): string => `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}, ${canPin ? 'what is under test on core 0, everything else on core 1' : 'nothing pinned'}`;

export function saveReport(report: Report): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, `${report.bench}${endOf(report.mode)}`), `${JSON.stringify(report, null, 2)}\n`);
}

export function savePage(mode: Mode, html: string): string {
  mkdirSync(FOLDER, { recursive: true });
  const file = join(FOLDER, mode === 'quick' ? 'quick.html' : 'index.html');
  writeFileSync(file, html);
  return file;
}

/** The last ones of each bench that was ever run in this mode. */
export function readReports(mode: Mode): Report[] {
  if (!existsSync(FOLDER)) return [];
  const ofMode = (file: string): boolean => (mode === 'quick' ? file.endsWith('-quick.json') : file.endsWith('.json') && !file.endsWith('-quick.json'));
  return readdirSync(FOLDER).filter(ofMode).map((file) => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Report);
}

export function gateLine({ name, value, min, max, atLeast, atMost, aim, unit = '', verdict }: JudgedGate): string {
  const spread = min === undefined || max === undefined ? '' : ` [${rounded(min)}–${rounded(max)}]`;
  const wanted = `${atLeast === undefined ? `at most ${rounded(atMost!)}` : `at least ${rounded(atLeast)}`}${unit}`;
  return `${verdict.padEnd(12)} ${name}: ${rounded(value)}${unit}${spread}, ${wanted}${aim === undefined ? '' : ` (aim ${rounded(aim)})`}`;
}

/** What is printed at the end of a bench. */
export function linesOf(report: Report): string[] {
  return [
    `${report.bench} (${report.mode}): ${report.verdict} after ${report.tookSeconds.toFixed(1)} s${report.cause ? `: ${report.cause}` : ''}`,
    ...report.gates.map((gate) => `  ${gateLine(gate)}`),
    ...report.checks.map(({ what, ok }) => `  ${(ok ? 'right' : 'WRONG').padEnd(12)} ${what}`),
    ...report.tables.flatMap((table) => ['', ...tableLines(table)]),
  ];
}

function tableLines({ title, columns, rows }: Table): string[] {
  const cells = [columns, ...rows.map((row) => row.map((cell) => (typeof cell === 'number' ? rounded(cell) : cell)))];
  const widths = columns.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: string[]): string => `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ')}`.trimEnd();
  return [`  ${title}`, ...cells.map(line)];
}
