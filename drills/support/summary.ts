import { violationLines, type Report } from './report.js';

/** The reports as a markdown table: one row for each drill and scale, over all its seeds. */
export function summaryOf(reports: readonly Report[]): string {
  const rows = [...Map.groupBy(reports, ({ drill, scale }) => `${drill} ${scale}`).values()].map(rowOf);
  const head = ['| drill | scale | seeds | commit | trials | 0 in n: rate below | took | figures | verdict |', '|---|---|---|---|---|---|---|---|---|'];
  return [...head, ...rows].join('\n');
}

function rowOf(runs: Report[]): string {
  const { drill, scale } = runs[0]!;
  const seeds = runs.map(({ seed }) => seed).sort((a, b) => a - b).join(', ');
  const trials = runs.reduce((sum, { figures }) => sum + (typeof figures['trials'] === 'number' ? figures['trials'] : 0), 0);
  const passed = runs.every(({ verdict }) => verdict === 'PASSED');
  const bound = passed && trials > 0 ? (3 / trials).toExponential(1) : '–';
  const took = runs.map(({ tookSeconds }) => Math.round(tookSeconds)).sort((a, b) => a - b);
  const verdicts = passed ? 'PASSED' : runs.map(({ seed, verdict }) => `seed ${seed}: ${verdict}`).join(', ');
  // Older reports do not say.
  const commits = rangeOf(runs.map(({ commit = 'unknown' }: Partial<Report>) => commit));
  const cells = [drill, scale, seeds, commits, trials > 0 ? trials.toLocaleString('en') : '–', bound, `${rangeOf(took)} s`, figuresOf(runs), verdicts];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** Each figure once, with its range over the seeds. */
function figuresOf(runs: readonly Report[]): string {
  const names = [...new Set(runs.flatMap(({ figures }) => Object.keys(figures)))].filter((name) => name !== 'trials');
  return names.map((name) => `${name}: ${rangeOf(runs.map(({ figures }) => figures[name]).filter((value) => value !== undefined))}`).join('; ');
}

function rangeOf(values: readonly (number | string)[]): string {
  const different = [...new Set(values)];
  const numbers = different.filter((value) => typeof value === 'number');
  if (different.length < 2 || numbers.length < different.length) return different.join(', ');
  return `${Math.min(...numbers)}–${Math.max(...numbers)}`;
}

/** For a test that runs a drill: why it is not PASSED, or nothing. */
export function complaintOf(report: Report): string {
  if (report.verdict === 'PASSED') return '';
  return [`${report.drill}, seed ${report.seed}: ${report.verdict}`, ...(report.cause ? [report.cause] : []), ...violationLines(report)].join('\n');
}
