import { NoAnswer, remainingMs, withDeadline } from '../../src/domain/deadline.js';
import { SameTurn } from '../../src/services/same-turn.js';

test('a shared question does not end with the deadline of who asked it first: each waits as long as its own says', async () => {
  const gate = Promise.withResolvers<void>();
  const left: number[] = [];
  const accounts = new SameTurn<string, string>(async (keys) => {
    left.push(remainingMs());
    await gate.promise;
    return new Map(keys.map((key) => [key, `${key} known`]));
  }, 10);
  const hurried = withDeadline(1, () => accounts.get('a'));
  const patient = withDeadline(60_000, () => Promise.all([accounts.get('a'), accounts.get('b')]));
  await expect(hurried).rejects.toBeInstanceOf(NoAnswer);
  gate.resolve();
  expect(await patient).toEqual(['a known', 'b known']);
  expect(left).toEqual([Infinity]);
});
