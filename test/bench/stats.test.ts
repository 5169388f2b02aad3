import { isNoisy, medianOf, pairedRatio, quantileOf, type Rounds } from '../../bench/support/stats.js';
import { verdictOf, worstOf } from '../../bench/support/verdict.js';

const rounds: Rounds = new Map([
  ['bare', [{ cpuUs: 10, perSecond: 100 }, { cpuUs: 20, perSecond: 50 }, { cpuUs: 10, perSecond: 100 }]],
  ['ours', [{ cpuUs: 20, perSecond: 80 }, { cpuUs: 40, perSecond: 40 }, { cpuUs: 25, perSecond: 70 }]],
]);

test('a median is the value in the middle, or between the two', () => {
  expect(medianOf([3, 1, 2])).toBe(2);
  expect(medianOf([4, 1, 2, 3])).toBe(2.5);
  expect(() => medianOf([])).toThrow('no median');
});

test('a quantile is a value that was measured', () => {
  const values = Array.from({ length: 100 }, (_, index) => index + 1);
  expect([quantileOf(values, 0), quantileOf(values, 0.5), quantileOf(values, 0.95), quantileOf(values, 1)]).toEqual([1, 50, 95, 100]);
});

test('a ratio is taken within each round, so that a slow round counts for both sides', () => {
  const costs = pairedRatio(rounds, { of: 'ours', to: 'bare', metric: 'cpuUs', better: 'lower' });
  expect(costs).toEqual({ median: 0.5, min: 0.4, max: 0.5, limitSpread: 2 });
  expect(pairedRatio(rounds, { of: 'ours', to: 'bare', metric: 'perSecond', better: 'higher' })).toMatchObject({ median: 0.8, min: 0.7, max: 0.8 });
});

test('a figure that was not measured is no zero', () => {
  expect(() => pairedRatio(rounds, { of: 'ours', to: 'bare', metric: 'p95Ms', better: 'lower' })).toThrow('p95Ms of ours was not measured');
  expect(() => pairedRatio(rounds, { of: 'theirs', to: 'bare', metric: 'cpuUs', better: 'lower' })).toThrow('Nothing was measured of theirs');
});

test('what cannot be compared is no ratio: a cost of nothing, sides that were not in the same rounds', () => {
  const compared = (ours: number[], bare: number[]) => () => pairedRatio(new Map([['ours', ours.map((us) => ({ us }))], ['bare', bare.map((us) => ({ us }))]]), { of: 'ours', to: 'bare', metric: 'us', better: 'lower' });
  expect(compared([10, 0], [10, 10])).toThrow('too small to be measured');
  expect(compared([10, 10], [10, 0])).toThrow('too small to be measured');
  expect(compared([10, 10], [10])).toThrow('not measured in the same rounds');
  expect(compared([10, 10], [10, 20])()).toMatchObject({ median: 1.5 });
});

test('a limit that moved by more than half was not steady', () => {
  expect([1, 1.5, 1.51].map((limitSpread) => isNoisy({ limitSpread }))).toEqual([false, false, true]);
});

describe('a gate', () => {
  const gate = { name: 'seats', value: 0.5, min: 0.4, max: 0.6 };

  test('goes by the median', () => {
    expect(verdictOf({ ...gate, atLeast: 0.5 })).toBe('met');
    expect(verdictOf({ ...gate, atLeast: 0.51 })).toBe('short');
    expect(verdictOf({ ...gate, atMost: 0.5 })).toBe('met');
    expect(verdictOf({ ...gate, atMost: 0.49 })).toBe('short');
  });

  test('is inconclusive where the limit was not steady, unless every round says the same', () => {
    expect(verdictOf({ ...gate, atLeast: 0.45, noisy: true })).toBe('inconclusive');
    expect(verdictOf({ ...gate, atLeast: 0.55, noisy: true })).toBe('inconclusive');
    expect(verdictOf({ ...gate, atLeast: 0.4, noisy: true })).toBe('met');
    expect(verdictOf({ ...gate, atLeast: 0.7, noisy: true })).toBe('short');
  });

  test('is at least or at most something, never both', () => {
    expect(() => verdictOf(gate)).toThrow('must be');
    expect(() => verdictOf({ ...gate, atLeast: 1, atMost: 2 })).toThrow('must be');
  });

  test('that falls short is worse than one that could not be told', () => {
    expect(worstOf(['met', 'inconclusive', 'short'])).toBe('short');
    expect(worstOf(['met', 'inconclusive'])).toBe('inconclusive');
    expect(worstOf(['met'])).toBe('met');
    expect(worstOf([])).toBe('met');
  });
});
