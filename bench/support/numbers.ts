/** Numbers for people: three figures that count, thousands apart. */
export function rounded(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString('en');
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return Number(value.toFixed(1)).toString();
  if (size === 0) return '0';
  return Number(value.toPrecision(3)).toString();
}

/** Round values that cover the range, at most about `count` of them. */
export function ticksOf(min: number, max: number, count = 5): number[] {
  const step = niceStep((max - min) / count);
  const ticks: number[] = [];
  for (let tick = Math.ceil(min / step) * step; tick <= max + step / 1e6; tick += step) ticks.push(Number(tick.toPrecision(12)));
  return ticks;
}

function niceStep(rough: number): number {
  if (!(rough > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  return ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10) * power;
}
