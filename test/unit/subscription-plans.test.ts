import { buildSchema } from 'graphql';
import { PLAN_MAX_LENGTH, PLANS_MAX, SubscriptionPlans } from '../../src/server/subscription-plans.js';

const schema = buildSchema('type Query { a: Int } type Subscription { ticks(count: Int): Int }');
const queryOf = (count: number): string => `subscription { ticks(count: ${count}) }`;

test(`documents are parsed and validated once, the last ${PLANS_MAX} that were asked for`, () => {
  const plans = new SubscriptionPlans(schema, true);
  const first = plans.of(queryOf(0), null);
  const second = plans.of(queryOf(1), null);
  for (let count = 2; count < PLANS_MAX; count += 1) plans.of(queryOf(count), null);
  expect(plans.of(queryOf(0), null)).toBe(first);
  plans.of(queryOf(PLANS_MAX), null);
  expect(plans.of(queryOf(0), null)).toBe(first);
  expect(plans.of(queryOf(1), null)).not.toBe(second);
});

test(`one with its name is kept up to ${PLAN_MAX_LENGTH} characters, a longer one is looked at each time`, () => {
  const plans = new SubscriptionPlans(schema, true);
  const ofLength = (length: number): string => queryOf(1).padEnd(length - 1, ' ');
  expect(plans.of(ofLength(PLAN_MAX_LENGTH), null)).toBe(plans.of(ofLength(PLAN_MAX_LENGTH), null));
  expect(plans.of(ofLength(PLAN_MAX_LENGTH + 1), null)).not.toBe(plans.of(ofLength(PLAN_MAX_LENGTH + 1), null));
});

test('an operation of a document is told by its name, and what is wrong with one is told each time', () => {
  const plans = new SubscriptionPlans(schema, true);
  const two = 'subscription A { ticks } query B { a }';
  expect([plans.of(two, 'A'), plans.of(two, 'B'), plans.of(two, 'C')]).toMatchObject([
    { kind: 'subscription', label: { field: 'ticks' } }, { kind: 'query', label: { field: 'a' } }, { kind: null },
  ]);
  expect(plans.of('subscription { nothing }', null)).toMatchObject([{ message: expect.any(String) }]);
});
