import { Histogram } from '../../bench/support/histogram.js';

test('quantiles are within one percent, and the largest is exact', () => {
  const histogram = new Histogram();
  for (let ms = 1; ms <= 1000; ms += 1) histogram.add(ms);
  for (const quantile of [0.5, 0.95, 0.99]) expect(Math.abs(histogram.quantileMs(quantile) / (quantile * 1000) - 1)).toBeLessThan(0.011);
  expect(histogram).toMatchObject({ count: 1000, maxMs: 1000, averageMs: 500.5 });
  expect(histogram.quantileMs(1)).toBe(1000);
});

test('several are added up as if they had been one', () => {
  const [whole, odd, even] = [new Histogram(), new Histogram(), new Histogram()];
  for (let ms = 0; ms < 200; ms += 1) for (const histogram of [whole, ms % 2 === 0 ? even : odd]) histogram.add(ms / 7);
  expect(Histogram.of(odd.times(), even.times()).times()).toEqual(whole.times());
});

test('what is beyond the buckets is in the last one, and nothing has no time', () => {
  const histogram = new Histogram();
  expect(histogram.quantileMs(0.99)).toBe(0);
  histogram.add(10_000_000);
  histogram.add(0);
  expect(histogram.quantileMs(0.5)).toBe(0.01);
  expect(histogram.quantileMs(1)).toBeGreaterThan(500_000);
});
