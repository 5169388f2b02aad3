import { execute, parse } from 'graphql';
import { buildSchema } from '../../src/schema/build-schema.js';
import { resolvers } from '../../src/resolvers/index.js';
import { prepareEvents } from '../../src/server/prepared-events.js';

/** Prepared text is what execution and JSON.stringify give, or there is none. */

const schema = await buildSchema(resolvers);
const FIELDS = 'concertId userId status position waiting estimatedWaitSeconds expiresAt seatsMayRemain';
const position = { concertId: 'a"ö', userId: 'b', status: 'WAITING', position: 7, waiting: 9, estimatedWaitSeconds: null, expiresAt: null, seatsMayRemain: true };
const active = { ...position, status: 'ACTIVE', position: 0, expiresAt: new Date(1_800_000_000_000) };

const executed = async (query: string, event: unknown, variableValues = {}): Promise<string> =>
  JSON.stringify(await execute({ schema, document: parse(query), rootValue: event, variableValues, contextValue: {} }));

test.each([
  ['every field', `subscription { queuePosition(concertId: "1") { ${FIELDS} } }`],
  ['aliases', 'subscription { mine: queuePosition(concertId: "1") { at: position kind: __typename again: position } }'],
  ['fragments', 'subscription { queuePosition(concertId: "1") { status ...F } } fragment F on QueuePosition { ...G ... { waiting status } position } fragment G on QueuePosition { userId }'],
  ['a field twice', 'subscription { queuePosition(concertId: "1") { status waiting status } }'],
  ['variables in arguments', 'subscription Q($id: ID!) { queuePosition(concertId: $id) { status expiresAt } }'],
])('an event is written as execution would write it: %s', async (_name, query) => {
  const prepared = prepareEvents(schema, parse(query), null)!;
  for (const event of [position, active, position, { ...position, position: 8 }]) expect(prepared(event)).toBe(await executed(query, event, { id: '1' }));
});

test('an event that many are given is written down once for all of them, lists and all', async () => {
  const query = 'subscription { seatChanges(scheduleId: "1") { sequence changes { number status } resync } }';
  const prepared = prepareEvents(schema, parse(query), null)!;
  let read = 0;
  const event = {
    sequence: '1.2',
    resync: false,
    get changes() {
      read += 1;
      return [{ number: 1, status: 'SOLD' }, { number: 2, status: 'HELD' }];
    },
  };
  const text = await executed(query, event);
  read = 0;
  expect([prepared(event), prepared(event), prepared({ ...event, changes: [] })]).toEqual([text, text, await executed(query, { ...event, changes: [] })]);
  // Once for the text, and twice for the copies above.
  expect(read).toBe(3);
});

test.each([
  ['a fragment that is left out at times', 'subscription Q($if: Boolean!) { queuePosition(concertId: "1") { ...F @include(if: $if) } } fragment F on QueuePosition { status }'],
  ['two selections of the root', 'subscription { queuePosition(concertId: "1") { status } ...F } fragment F on Subscription { queuePosition(concertId: "1") { waiting } }'],
  ['a directive', 'subscription Q($if: Boolean!) { queuePosition(concertId: "1") { status @include(if: $if) } }'],
  ['a directive on the root', 'subscription Q($if: Boolean!) { queuePosition(concertId: "1") @skip(if: $if) { status } }'],
  ['a field whose events are looked up', 'subscription { reservationChanged { id } }'],
  ['a query', '{ queuePosition(concertId: "1") { status } }'],
])('left to execution: %s', (_name, query) => {
  expect(prepareEvents(schema, parse(query), null)).toBeNull();
});

test.each([
  ['null where there must be a value', { ...position, status: null }],
  ['a value that is not of its type', { ...position, position: 'first' }],
  ['an event that is to be waited for', Promise.resolve(position)],
  ['a value that is to be called', { ...position, position: () => 7 }],
  ['no event', null],
])('an event that is left to execution: %s', (_name, event) => {
  expect(prepareEvents(schema, parse(`subscription { queuePosition(concertId: "1") { ${FIELDS} } }`), null)!(event)).toBeNull();
});
