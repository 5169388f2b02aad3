import { readdirSync, readFileSync } from 'node:fs';
import { buildSchema, getIntrospectionQuery } from 'graphql';
import { checkedDocument } from '../../src/server/operation-rules.js';

const schema = buildSchema(readFileSync('src/schema/schema.graphql', 'utf8'));

const complaints = (document: string): string[] => {
  const checked = checkedDocument(schema, document, false);
  return 'errors' in checked ? checked.errors.map(({ message }) => message) : [];
};

const DATES = 'schedules(concertId: "c")';

test.each([
  ['the dates of the concert of each date', `{ ${DATES} { concert { schedules { id } } } }`, 'lists of Schedule inside each other 2'],
  ['and on and on', `{ ${DATES} { concert { schedules { concert { schedules { concert { schedules { id } } } } } } } }`, 'lists of Schedule inside each other 4'],
  ['through a fragment', `{ ${DATES} { ...S } } fragment S on Schedule { concert { ...C } } fragment C on Concert { schedules { id } }`, 'lists of Schedule inside each other 2'],
  ['through an inline fragment with and without a type', `{ ${DATES} { ... { concert { ... on Concert { schedules { id } } } } } }`, 'lists of Schedule inside each other 2'],
  ['behind a member of a union', 'mutation { reserve(input: { scheduleId: "s", seatNumbers: [1] }) { ... on Reservation { seats { number } schedule { concert { schedules { concert { schedules { id } } } } } } } }', 'lists of Schedule inside each other 2'],
  ['the rows of the hall of each date of each concert', '{ concerts { nodes { schedules { concert { venue { sections { rows { name } } } } } } } }', 'lists inside each other 4'],
  ['as a subscription', 'subscription { reservationChanged { schedule { concert { schedules { concert { schedules { id } } } } } } }', 'lists of Schedule inside each other 2'],
])('lists that multiply are refused: %s', (_name, document, message) => {
  expect(complaints(document).join()).toContain(`The operation asks for too much: ${message}, at most `);
});

test.each([
  '{ venues { nodes { sections { name rows { name } } } } }',
  '{ concerts { nodes { title prices { grade amount } schedules { id concert { title } } venue { sections { rows { name } } } } } }',
  '{ me { reservations { nodes { seats { number } schedule { concert { title schedules { startsAt } } } } } payments { nodes { reservation { seats { number } } } } } }',
  '{ reservation(id: "r") { schedule { concert { schedules { id } } } } }',
  `{ a: ${DATES} { id } b: ${DATES} { id } }`,
  getIntrospectionQuery(),
])('what a page asks for passes: %.70s', (document) => {
  expect(complaints(document)).toEqual([]);
});

test('every operation of the tests and of the tabs passes', () => {
  const files = ['test/graphql', 'web/graphiql/tabs'].flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith('.graphql')).map((name) => `${folder}/${name}`));
  expect(files.length).toBeGreaterThan(20);
  for (const file of files) expect([file, complaints(readFileSync(file, 'utf8')).filter((message) => message.includes('asks for too much'))]).toEqual([file, []]);
});
