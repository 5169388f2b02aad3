import type { Plot } from '../bench.js';
import { rounded, ticksOf } from './numbers.js';

/** Plots as SVG inside the page: no script and nothing from elsewhere. */

const [WIDTH, HEIGHT] = [760, 300];
const MARGIN = { left: 64, right: 16, top: 12, bottom: 44 };
const INNER = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
/** Told apart also by people who see red and green alike, and by their dashes in print. */
const COLOURS = ['#0b62a4', '#d95f02', '#1b9e77', '#7b3fa0', '#a6761d', '#666666', '#e7298a', '#2b2b2b'];
const DASHES = ['', '7 3', '2 3', '9 3 2 3', '4 2', '1 2', '12 4', '3 6'];

export const escaped = (text: string): string => text.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign]!);

export const svgOf = (plot: Plot): string => (plot.kind === 'bars' ? barsOf(plot) : linesOf(plot));

type Lines = Extract<Plot, { kind: 'lines' }>;
type Bars = Extract<Plot, { kind: 'bars' }>;

interface Scale {
  at(value: number): number;
  ticks: number[];
}

function scaleOf(values: readonly number[], isLogarithmic: boolean, from: number, to: number): Scale {
  if (isLogarithmic) {
    const positive = values.filter((value) => value > 0);
    const [low, high] = [Math.floor(Math.log10(Math.min(...positive))), Math.ceil(Math.log10(Math.max(...positive) * 1.0001))];
    const ticks = Array.from({ length: high - low + 1 }, (_, power) => 10 ** (low + power));
    return { at: (value) => from + ((Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)) * (to - from), ticks };
  }
  const max = Math.max(...values, 0) * 1.05 || 1;
  const min = Math.min(...values, 0);
  return { at: (value) => from + ((value - min) / (max - min)) * (to - from), ticks: ticksOf(min, max) };
}

const text = (x: number, y: number, content: string, attributes = ''): string => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped(content)}</text>`;
const rule = (x1: number, y1: number, x2: number, y2: number, attributes: string): string =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" ${attributes}/>`;
const frame = (height: number, title: string, content: string[]): string => `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">${content.join('')}</svg>`;

function linesOf({ title, x, y, logarithmic, series, references = [] }: Lines): string {
  const points = series.flatMap((one) => one.points);
  if (points.length === 0) return '';
  const [bottom, right] = [MARGIN.top + INNER.height, MARGIN.left + INNER.width];
  const xs = scaleOf(points.map(([value]) => value), logarithmic === 'x' || logarithmic === 'both', MARGIN.left, right);
  const ys = scaleOf([...points.map(([, value]) => value), ...references.map(({ value }) => value)], logarithmic === 'y' || logarithmic === 'both', bottom, MARGIN.top);
  return frame(HEIGHT, title, [
    ...ys.ticks.map((tick) => rule(MARGIN.left, ys.at(tick), right, ys.at(tick), 'class="grid"') + text(MARGIN.left - 6, ys.at(tick) + 4, rounded(tick), 'text-anchor="end"')),
    ...xs.ticks.map((tick) => text(xs.at(tick), bottom + 16, rounded(tick), 'text-anchor="middle"')),
    text(right, bottom + 34, x, 'text-anchor="end"'),
    text(12, MARGIN.top + INNER.height / 2, y, `text-anchor="middle" transform="rotate(-90 12 ${MARGIN.top + INNER.height / 2})"`),
    ...references.map(({ name, value }) => rule(MARGIN.left, ys.at(value), right, ys.at(value), 'class="reference"') + text(right - 4, ys.at(value) - 4, name, 'text-anchor="end" class="reference"')),
    ...series.map((one, index) => curveOf(one.points.map(([px, py]) => `${xs.at(px).toFixed(1)},${ys.at(py).toFixed(1)}`), index)),
  ]);
}

const strokeOf = (index: number): string => `stroke="${COLOURS[index % COLOURS.length]}" stroke-dasharray="${DASHES[index % DASHES.length]}"`;

function curveOf(points: string[], index: number): string {
  const line = `<polyline points="${points.join(' ')}" fill="none" stroke-width="2" ${strokeOf(index)}/>`;
  if (points.length > 20) return line;
  return line + points.map((point) => `<circle cx="${point.split(',')[0]}" cy="${point.split(',')[1]}" r="3" fill="${COLOURS[index % COLOURS.length]}"/>`).join('');
}

/** Of a plot with several series, as HTML. */
export function legendOf(plot: Plot): string {
  if (plot.kind !== 'lines' || plot.series.length < 2) return '';
  const entries = plot.series.map(({ name }, index) => `<li><svg viewBox="0 0 28 8" class="key"><line x1="0" y1="4" x2="28" y2="4" stroke-width="3" ${strokeOf(index)}/></svg>${escaped(name)}</li>`);
  return `<ul class="legend">${entries.join('')}</ul>`;
}

const BAR = { height: 20, gap: 8, label: 250, figure: 70 };

function barsOf({ title, bars, unit, references = [] }: Bars): string {
  if (bars.length === 0) return '';
  const height = bars.length * (BAR.height + BAR.gap) + 36;
  const scale = scaleOf([...bars.map(({ value, max }) => max ?? value), ...references.map(({ value }) => value)], false, BAR.label, WIDTH - BAR.figure);
  const bottom = height - 30;
  return frame(height, title, [
    ...scale.ticks.map((tick) => rule(scale.at(tick), 4, scale.at(tick), bottom, 'class="grid"') + text(scale.at(tick), bottom + 14, rounded(tick), 'text-anchor="middle"')),
    text(BAR.label - 8, bottom + 14, unit, 'text-anchor="end"'),
    ...bars.map((bar, index) => barOf(bar, 4 + index * (BAR.height + BAR.gap), scale, index)),
    ...references.map(({ name, value }) => rule(scale.at(value), 0, scale.at(value), bottom, 'class="reference"') + text(scale.at(value), bottom + 28, name, `class="reference" text-anchor="${scale.at(value) > WIDTH / 2 ? 'end' : 'start'}"`)),
  ]);
}

function barOf({ name, value, min, max }: Bars['bars'][number], y: number, scale: Scale, index: number): string {
  const middle = y + BAR.height / 2;
  const whisker = min === undefined || max === undefined ? '' : rule(scale.at(min), middle, scale.at(max), middle, 'class="whisker"');
  const end = Math.max(scale.at(max ?? value), scale.at(value));
  return (
    text(BAR.label - 8, middle + 4, name, 'text-anchor="end"') +
    `<rect x="${BAR.label}" y="${y}" width="${Math.max(1, scale.at(value) - BAR.label).toFixed(1)}" height="${BAR.height}" fill="${COLOURS[index % COLOURS.length]}" opacity="0.8"/>` +
    whisker + text(end + 6, middle + 4, rounded(value))
  );
}
