import type { Plot, Table } from '../bench.js';
import { rounded } from './numbers.js';
import type { JudgedGate, Report } from './report.js';
import { escaped, legendOf, svgOf } from './svg.js';

/** All reports on one page that needs nothing but itself. */

const STYLE = `
  :root { color-scheme: light; --ink: #1c1c1e; --soft: #5b5b62; --line: #dcdce2; }
  body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 980px; margin: 2rem auto; padding: 0 1rem; }
  h1 { margin-bottom: .2rem; } h2 { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1.5rem; } h3 { margin: 1.6rem 0 .4rem; }
  p, li { max-width: 75ch; } .soft { color: var(--soft); font-size: 13px; }
  .scroll, pre { overflow-x: auto; } pre { font-size: 12px; color: #a31515; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .4rem 0 1rem; font-size: 14px; }
  th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
  th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 11rem; } th { font-weight: 600; white-space: normal; vertical-align: bottom; }
  .met { color: #17663a; } .short, .failed, .wrong { color: #a31515; font-weight: 600; } .inconclusive { color: #8a5a00; font-weight: 600; }
  svg { width: 100%; height: auto; max-width: 760px; display: block; } svg text { font: 11px system-ui, sans-serif; fill: #33333a; }
  .grid { stroke: #e4e4ea; } .reference { stroke: #a31515; stroke-dasharray: 4 3; } text.reference { stroke: none; fill: #a31515; } .whisker { stroke: #000; stroke-width: 1.5; }
  .legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0; font-size: 13px; } .key { width: 28px; height: 8px; display: inline-block; margin-right: .4rem; vertical-align: middle; }`;

export function pageOf(reports: readonly Report[]): string {
  const [first] = reports;
  const mode = first?.mode === 'quick' ? 'quick run' : 'full run';
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Frontrow: what the benches show</title><style>${STYLE}</style></head><body>
<h1>What the benches show</h1>
<p class="soft">${escaped(mode)}; ${escaped(first?.machine ?? '')}. Ratios are of sides that took turns within one run; figures of different runs are not to be compared.</p>
<div class="scroll"><table><thead><tr><th>What must be shown</th><th>measured</th><th>spread</th><th>wanted</th><th>aim</th><th></th></tr></thead><tbody>${reports.map(summaryRows).join('')}</tbody></table></div>
${reports.map(sectionOf).join('\n')}
</body></html>
`;
}

const cell = (content: string, kind = ''): string => `<td${kind && ` class="${kind}"`}>${escaped(content)}</td>`;

const timeOf = (startedAt: string): string => `${startedAt.slice(0, 16).replace('T', ' ')} UTC`;

const summaryRows = ({ bench, commit, startedAt, gates, checks, verdict, cause }: Report): string =>
  [
    `<tr><td colspan="5"><a href="#${escaped(bench)}"><b>${escaped(bench)}</b></a> <span class="soft">${escaped(commit)}, ${timeOf(startedAt)}</span>${cause ? ` ${escaped(cause.split('\n')[0]!)}` : ''}</td>${cell(verdict, verdict)}</tr>`,
    ...gates.map(gateRow),
    ...checks.map(({ what, ok }) => `<tr>${cell(what)}${cell('').repeat(4)}${cell(ok ? 'right' : 'WRONG', ok ? 'met' : 'wrong')}</tr>`),
  ].join('');

function gateRow({ name, value, min, max, atLeast, atMost, aim, unit = '', verdict }: JudgedGate): string {
  const spread = min === undefined || max === undefined ? '' : `${rounded(min)} – ${rounded(max)}`;
  const wanted = `${atLeast === undefined ? `≤ ${rounded(atMost!)}` : `≥ ${rounded(atLeast)}`}${unit}`;
  return `<tr>${cell(name)}${cell(`${rounded(value)}${unit}`)}${cell(spread)}${cell(wanted)}${cell(aim === undefined ? '' : rounded(aim))}${cell(verdict, verdict)}</tr>`;
}

function sectionOf(report: Report): string {
  return `<section id="${escaped(report.bench)}"><h2>${escaped(report.bench)}</h2><p>${escaped(report.asks)}</p>
${report.cause ? `<pre>${escaped(report.cause)}</pre>` : ''}${report.notes.length > 0 ? `<ul>${report.notes.map((note) => `<li>${escaped(note)}</li>`).join('')}</ul>` : ''}
${report.tables.map(tableOf).join('')}${report.plots.map(plotOf).join('')}
<p class="soft">${escaped(report.commit)}, ${timeOf(report.startedAt)}, ${report.tookSeconds.toFixed(0)} s: ${report.parts.map(({ name, tookSeconds }) => `${escaped(name)} ${tookSeconds.toFixed(1)} s`).join(', ')}</p></section>`;
}

function tableOf({ title, columns, rows, note }: Table): string {
  const body = rows.map((row) => `<tr>${row.map((value) => cell(typeof value === 'number' ? rounded(value) : value)).join('')}</tr>`);
  const head = columns.map((column) => `<th>${escaped(column)}</th>`);
  return `<h3>${escaped(title)}</h3>${noteOf(note)}<div class="scroll"><table><thead><tr>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table></div>`;
}

const plotOf = (plot: Plot): string => `<h3>${escaped(plot.title)}</h3>${noteOf(plot.note)}${legendOf(plot)}${svgOf(plot)}`;

const noteOf = (note: string | undefined): string => (note ? `<p class="soft">${escaped(note)}</p>` : '');
