import { RequestError } from '../../src/domain/errors.js';
import { assertAmount, isMoney, MONEY_MAX } from '../../src/domain/money.js';

test('W1: money is a whole number from 0 to the largest that JSON carries exactly', () => {
  for (const good of [0, 1, MONEY_MAX]) expect(isMoney(good)).toBe(true);
  for (const bad of [-1, 0.1, MONEY_MAX + 1, Number.NaN, Infinity, '1', null, undefined, 1n]) expect(isMoney(bad)).toBe(false);
});

test('W1: an amount that moves is positive and within its maximum; the error names its field', () => {
  for (const good of [1, 100]) expect(() => assertAmount('amount', good, 100)).not.toThrow();
  for (const bad of [0, -1, 0.5, 101, Number.NaN, MONEY_MAX + 1]) {
    expect(() => assertAmount('amount', bad, 100)).toThrow(RequestError);
    expect(() => assertAmount('amount', bad, 100)).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT', extensions: { field: 'amount' } }));
  }
});
