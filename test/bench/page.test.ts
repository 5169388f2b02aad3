import { pageOf } from '../../bench/support/html.js';
import { rounded, ticksOf } from '../../bench/support/numbers.js';
import type { Report } from '../../bench/support/report.js';
import { svgOf } from '../../bench/support/svg.js';

const report: Report = {
  bench: 'reads', asks: 'What is <fast>?', mode: 'quick', commit: 'abc', machine: 'two cores', startedAt: '2026-01-01T00:00:00.000Z', tookSeconds: 3, parts: [{ name: 'stores', tookSeconds: 1 }],
  verdict: 'short', gates: [{ name: 'seats by "node:http"', value: 0.4, min: 0.3, max: 0.5, atLeast: 0.45, aim: 0.6, verdict: 'short' }], checks: [{ what: 'no seat sold twice', ok: true }],
  notes: ['pinned'], tables: [{ title: 'Figures', columns: ['', 'µs'], rows: [['Frontrow', 12.345]] }],
  plots: [{ kind: 'lines', title: 'Over time', x: 'seconds', y: 'ms', logarithmic: 'y', series: [{ name: 'p95', points: [[0, 10], [1, 100]] }], references: [{ name: 'published', value: 50 }] }],
};

test('numbers have three figures that count', () => {
  expect([0, 0.012345, 1.2345, 15, 12.345, 123.45, 12_345.6, Number.NaN].map(rounded)).toEqual(['0', '0.0123', '1.23', '15', '12.3', '123', '12,346', '–']);
});

test('an axis has round ticks that cover it', () => {
  expect(ticksOf(0, 300)).toEqual([0, 100, 200, 300]);
  expect(ticksOf(0, 0.7)).toEqual([0, 0.2, 0.4, 0.6]);
});

test('a page shows every gate with its verdict, asks for nothing from elsewhere, and runs no script', () => {
  const page = pageOf([report]);
  expect(page).toContain('seats by &quot;node:http&quot;');
  expect(page).toContain('<td class="short">short</td>');
  expect(page).toContain('What is &lt;fast&gt;?');
  expect(page).not.toMatch(/<script|src=|href="http|@import|url\(/);
});

test('a page says of each bench what was measured and when, as they may be of different runs, and why one failed', () => {
  const page = pageOf([{ ...report, verdict: 'failed', cause: 'Error: no answer\n    at load.ts:1' }]);
  expect(page).toContain('<span class="soft">abc, 2026-01-01 00:00 UTC</span> Error: no answer</td>');
  expect(page).toContain('<pre>Error: no answer\n    at load.ts:1</pre>');
});

test('what is wanted has the unit of what was measured', () => {
  const page = pageOf([{ ...report, gates: [{ name: 'p99', value: 238, unit: ' ms', atMost: 500, verdict: 'met' }] }]);
  expect(page).toContain('<td>238 ms</td>');
  expect(page).toContain('<td>≤ 500 ms</td>');
});

test('O3: a load test is drawn over time beside published figures: a logarithmic plot has its points between the powers of ten around them', () => {
  const [, points] = /<polyline points="([^"]+)"/.exec(svgOf(report.plots[0]!))!;
  const [[, low], [, high]] = points!.split(' ').map((point) => point.split(',').map(Number)) as [[number, number], [number, number]];
  expect(low).toBeGreaterThan(high!);
  expect(svgOf(report.plots[0]!)).toContain('published');
});
