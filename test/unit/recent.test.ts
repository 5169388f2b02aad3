import { Recent } from '../../src/domain/recent.js';

test('keeps what is asked for, forgets what is not, and never holds more than its bound', () => {
  const recent = new Recent<number, string>(10);
  recent.set(0, 'asked for');
  for (let key = 1; key <= 1000; key += 1) {
    recent.set(key, 'x');
    expect(recent.get(0)).toBe('asked for');
    expect(recent.size).toBeLessThanOrEqual(10);
  }
  expect(recent.get(1000)).toBe('x');
  expect(recent.get(996)).toBe('x');
  expect(recent.get(500)).toBeUndefined();
});

test('the newest value counts, and what was deleted is gone, however old', () => {
  const recent = new Recent<string, number>(4);
  recent.set('a', 1);
  recent.set('b', 1);
  recent.set('c', 1);
  recent.set('a', 2);
  expect(recent.get('a')).toBe(2);
  recent.delete('a');
  recent.delete('b');
  expect([recent.get('a'), recent.get('b'), recent.get('c')]).toEqual([undefined, undefined, 1]);
});
