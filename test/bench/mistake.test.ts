import { mistakeIn } from '../../bench/support/mistake.js';

/** One answer that is not what was asked for fails a bench. */

const answer = (text: string, status = 200) => ({ status, body: Buffer.from(text) });
const seats = { succeeds: '"number"' };

test('an answer is right with status 200, what was asked for and no errors', () => {
  expect(mistakeIn(answer('{"data":{"seats":[{"number":1}]}}'), seats)).toBeNull();
});

test.each([
  ['another status', answer('{"data":{"seats":[{"number":1}]}}', 503)],
  ['errors beside what was asked for', answer('{"errors":[{"message":"late"}],"data":{"seats":[{"number":1}]}}')],
  ['an empty list', answer('{"data":{"seats":[]}}')],
  ['an empty body', answer('')],
  ['a refusal, which is no error of GraphQL', answer('{"data":{"reserve":{"__typename":"SeatsUnavailable"}}}')],
])('%s is a mistake', (_, wrong) => {
  expect(mistakeIn(wrong, seats)).toContain(`${wrong.status}`);
});

test('where all answers have the same length another one is a mistake', () => {
  const right = answer('{"number":1}');
  expect(mistakeIn(right, { ...seats, expectBytes: right.body.length })).toBeNull();
  expect(mistakeIn(right, { ...seats, expectBytes: right.body.length + 1 })).toContain('(12 bytes)');
});
