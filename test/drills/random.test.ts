import { Random } from '../../drills/support/random.js';

const draw = (random: Random, count = 1000): number[] => Array.from({ length: count }, () => random.below(100));

test('the same seed draws the same, another seed something else', () => {
  expect(draw(new Random(7))).toEqual(draw(new Random(7)));
  expect(draw(new Random(7))).not.toEqual(draw(new Random(8)));
});

test('a source that was forked by name does not move the one it came from, nor another', () => {
  const random = new Random(7);
  draw(random.fork('buyer 1'));
  expect(draw(random)).toEqual(draw(new Random(7)));
  expect(draw(random.fork('buyer 2'))).toEqual(draw(new Random(7).fork('buyer 2')));
  expect(draw(random.fork('buyer 1'))).not.toEqual(draw(random.fork('buyer 2')));
});

test('it draws evenly, within its bounds', () => {
  const random = new Random(1);
  const counts = new Array<number>(10).fill(0);
  for (let turn = 0; turn < 10_000; turn += 1) counts[random.below(10)]! += 1;
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  expect(new Set(Array.from({ length: 100 }, () => random.between(3, 5)))).toEqual(new Set([3, 4, 5]));
});

test('a sample has no one twice', () => {
  const sample = new Random(1).sample(Array.from({ length: 50 }, (_, index) => index), 20);
  expect(new Set(sample).size).toBe(20);
});
