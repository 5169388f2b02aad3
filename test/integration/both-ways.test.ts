import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parse, type OperationDefinitionNode, type TypeNode } from 'graphql';
import { v7 as uuid } from 'uuid';
import { ACCEPTED_TYPES_MAX, AcceptedTypes } from '../../src/server/accepted-types.js';
import { ErrorEdge } from '../../src/server/errors.js';
import { KNOWN_DOCUMENTS } from '../../src/server/known-documents.js';
import { Lane } from '../../src/server/lane.js';
import type { AdmittedBuyer, BuiltConcert, Buyer } from '../support/builder.js';
import { sendBy, type Way } from '../support/both-ways.js';
import { headersOf, type Credentials } from '../support/client.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { saleOf } from '../support/sale.js';

/** Whichever way a request goes, its answer is the same to the letter. */

const DIFFER_EACH_TIME = new Set(['date']);

let frontrow: Frontrow;
let concert: BuiltConcert;
let buyer: AdmittedBuyer;
let admin: Buyer;
/** Variables that let each operation run, over and over with the same outcome. */
let good: Record<string, Record<string, unknown>>;
beforeAll(async () => {
  frontrow = await startFrontrow({ env: { NODE_ENV: 'production', CORS_ORIGINS: 'https://shop.example', QUEUE_PASS_ATTEMPTS_MAX: '10000', RATE_LIMIT_SIGN_UP_MAX: '10000' } });
  concert = await frontrow.build.concert({ dates: 2 });
  buyer = await frontrow.build.admittedBuyer(concert.id, { balance: 100_000 });
  admin = await frontrow.build.buyer({ role: 'ADMIN' });
  const sale = saleOf(frontrow);
  const paid = await sale.hold(buyer, concert.scheduleId, [1]);
  const payment = await sale.pay(buyer, paid.id);
  await frontrow.build.admit(concert.id, [buyer]).then(([again]) => (buyer = again!));
  const held = await sale.hold(buyer, concert.scheduleId, [2, 3]);
  if (payment.__typename !== 'Payment') throw new Error('Not paid.');
  good = {
    Concerts: { first: 5 },
    Schedules: { concertId: concert.id, availableOnly: true },
    Seats: { scheduleId: concert.scheduleId, status: 'AVAILABLE', first: 7, afterNumber: 3 },
    Me: { first: 2 },
    OneReservation: { id: held.id },
    PollQueuePosition: { concertId: concert.id },
    SignUp: { input: { email: buyer.email, password: 'correct horse', name: 'Ann' } },
    SignIn: { input: { email: 'nobody@example.com', password: 'wrong horse' } },
    RefreshSession: { refreshToken: 'none' },
    JoinQueue: { concertId: uuid() },
    LeaveQueue: { concertId: uuid() },
    Reserve: { input: { scheduleId: concert.scheduleId, seatNumbers: [2, 3] } },
    CancelReservation: { id: paid.id },
    Charge: { input: { amount: 10, idempotencyKey: 'once' } },
    Pay: { input: { reservationId: paid.id } },
    Refund: { paymentId: uuid() },
    CancelSchedule: { id: uuid() },
    ScheduleCancellation: { scheduleId: concert.scheduleId },
    SeatMap: { scheduleId: concert.scheduleId },
  };
  // One charge before they are compared: the first is the only one that changes anything.
  await sale.charge(buyer, 10, 'once');
});
afterAll(() => frontrow.stop());

const nameOf = (text: string): string => operationOf(text).name!.value;
const operationOf = (text: string): OperationDefinitionNode => parse(text).definitions.find((definition) => definition.kind === 'OperationDefinition')!;
const documents = new Map(KNOWN_DOCUMENTS.map((text) => [nameOf(text), text]));

interface Asked {
  query: string;
  variables?: unknown;
  operationName?: unknown;
  extensions?: unknown;
}

async function answer(way: Way, asked: Asked, headers: Record<string, string>): Promise<unknown> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json', 'x-request-id': 'both-ways', ...headers }, body: JSON.stringify(asked) };
  const response = await sendBy(way, `${frontrow.client().url}/graphql`, init);
  return { status: response.status, headers: [...response.headers].filter(([name]) => !DIFFER_EACH_TIME.has(name)).sort(), body: await response.text() };
}

async function expectAlike(asked: Asked, credentials: Credentials = {}, headers: Record<string, string> = {}): Promise<{ status: number; body: string }> {
  const all = { ...headersOf(credentials), ...headers };
  const apollo = await answer('apollo', asked, all);
  // Interpreted at first, compiled afterwards.
  for (let use = 0; use < 3; use += 1) expect(await answer('ahead', asked, all)).toEqual(apollo);
  return apollo as { status: number; body: string };
}

const credentialsFor = (name: string): Credentials => (/Schedule|Cancellation$/.test(name) && name !== 'Schedules' ? admin : buyer);

test.each([...documents.keys()].filter((name) => name !== 'SignOut'))('%s, as it is meant, and as a guest', async (name) => {
  const asked = { query: documents.get(name)!, variables: good[name]!, operationName: name };
  const { status, body } = await expectAlike(asked, credentialsFor(name));
  expect([status, body.includes('INTERNAL')]).toEqual([200, false]);
  await expectAlike(asked);
});

/** What a client may send in place of a value of the type. */
function badValues(type: TypeNode): unknown[] {
  if (type.kind === 'NonNullType') return [undefined, null, ...badValues(type.type)];
  return [5, -1, 1.5, 1e300, true, '', 'nonsense', '5', [], ['x'], [null], {}, { nope: 1 }, 'x'.repeat(2000)];
}

test.each([...documents].filter(([name]) => name !== 'SignOut'))('%s with each variable wrong in every way', async (name, query) => {
  for (const { variable, type } of operationOf(query).variableDefinitions ?? []) {
    for (const value of badValues(type)) {
      await expectAlike({ query, variables: { ...good[name], [variable.name.value]: value } }, credentialsFor(name));
    }
  }
});

const CHARGE = documents.get('Charge')!;
const RESERVE = documents.get('Reserve')!;
test.each<[string, Record<string, unknown>]>([
  ['an amount that is text', { amount: '10', idempotencyKey: 'k' }],
  ['a fraction', { amount: 1.5, idempotencyKey: 'k' }],
  ['nothing', {}],
  ['a field that there is not', { amount: 10, idempotencyKey: 'k', amont: 1 }],
  ['an amount beyond all numbers', { amount: 2 ** 60, idempotencyKey: 'k' }],
  ['a zero, which the operation itself refuses', { amount: 0, idempotencyKey: 'k' }],
  ['null', { amount: null, idempotencyKey: 'k' }],
])('an input with %s', async (_name, input) => {
  await expectAlike({ query: CHARGE, variables: { input } }, buyer);
});

test.each([[['1']], [[1.5]], [[null]], [[]], [[1, 1]], [[1_000_000]], ['1'], [null], [2]])('seats %j', async (seatNumbers) => {
  await expectAlike({ query: RESERVE, variables: { input: { scheduleId: concert.scheduleId, seatNumbers } } }, buyer);
});

test.each<[string, string, unknown?]>([
  ['aliases, fragments and inline fragments', '{ a: currency ...F b: __typename ... on Query { c: currency } } fragment F on Query { concerts(first: 1) { nodes { ...G } } } fragment G on Concert { id venue { name } }'],
  ['skip and include', 'query ($yes: Boolean!, $no: Boolean = false) { currency @skip(if: $yes) concerts(first: 1) @include(if: $no) { __typename } __typename }', { yes: true }],
  ['a variable that may be null where null may not be', 'query ($first: Int = 3) { concerts(first: $first) { nodes { id } } }', { first: null }],
  ['the same without it', 'query ($first: Int = 3) { concerts(first: $first) { nodes { id } } }'],
  ['an error that only the resolver finds', '{ concerts(first: 0) { nodes { id } } }'],
  ['one field of two that fails', '{ currency concert(id: "nope") { id } }'],
  ['a nested error', '{ me { reservations(first: 0) { nodes { id } } } }'],
  ['enum and null literals', 'query ($id: ID!) { seats(scheduleId: $id, status: HELD, section: null) { status number } }', {}],
  ['a result of each kind', 'mutation { charge(input: { amount: 99999999, idempotencyKey: "k" }) { ... on Charge { id } ... on Refusal { m: message __typename } } }'],
  ['variables that are not asked for', '{ currency }', { nobody: 1 }],
])('%s', async (_name, query, variables = {}) => {
  for (const credentials of [{}, buyer]) await expectAlike({ query, variables }, credentials);
});

test('what the body holds beside the operation: nulls, names, hashes', async () => {
  const query = 'query One { currency }';
  for (const more of [{ variables: null }, { operationName: null }, { operationName: 'One' }, { extensions: null }, { extensions: { nobody: 1 } }, { nobody: true }]) await expectAlike({ query, ...more });
});

test.each(['application/json', 'application/json; charset=utf-8', '*/*', 'application/graphql-response+json', 'application/graphql-response+json, application/json;q=0.9'])('for a client that accepts %s, a result and a refused variable', async (accept) => {
  // What an Accept header means is learned from Apollo.
  await answer('apollo', { query: '{ currency }' }, { accept });
  await expectAlike({ query: '{ currency }' }, {}, { accept });
  await expectAlike({ query: documents.get('Schedules')!, variables: {} }, {}, { accept });
});

test.each([
  '*/*', 'application/json', 'application/json, text/plain, */*', 'application/json, multipart/mixed', 'application/graphql-response+json',
  'application/graphql-response+json, application/json', 'application/graphql-response+json,application/json;q=0.9',
  'application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed',
])('a common client that accepts %s is known from the start, with the type that Apollo chooses', async (accept) => {
  const init = { method: 'POST', headers: { 'content-type': 'application/json', accept }, body: JSON.stringify({ query: '{ currency }' }) };
  const response = await sendBy('apollo', `${frontrow.client().url}/graphql`, init);
  expect(response.headers.get('content-type')).toBe(new AcceptedTypes().typeFor(accept));
});

test(`however many odd Accept headers come, the common ones and the last ${ACCEPTED_TYPES_MAX / 2} are known`, () => {
  const accepted = new AcceptedTypes();
  const odd = (count: number): string => `application/json;q=0.${count}`;
  for (let count = 1; count <= 10 * ACCEPTED_TYPES_MAX; count += 1) {
    accepted.learn(odd(count), 'text/odd');
    accepted.learn('*/*', 'text/odd');
  }
  for (const common of [undefined, '*/*', 'application/json']) expect(accepted.typeFor(common)).toBe('application/json; charset=utf-8');
  expect(accepted.typeFor(odd(1))).toBeUndefined();
  for (let count = 9.5 * ACCEPTED_TYPES_MAX + 1; count <= 10 * ACCEPTED_TYPES_MAX; count += 1) expect(accepted.typeFor(odd(count))).toBe('text/odd');
});

test('an origin that is listed, and one that is not', async () => {
  for (const origin of ['https://shop.example', 'null']) await expectAlike({ query: '{ currency }' }, {}, { origin });
});

test('a bad token, a bad queue token, one that is far too long', async () => {
  const seats = { query: documents.get('Seats')!, variables: good['Seats'] };
  for (const accessToken of ['nonsense', `${buyer.accessToken.slice(0, -3)}AAA`, 'x'.repeat(5000)]) await expectAlike(seats, { ...buyer, accessToken });
  for (const queueToken of ['nonsense', buyer.accessToken, 'x'.repeat(5000)]) await expectAlike(seats, { ...buyer, queueToken });
});

test('a fault of the lane itself is one answer with 500, the first time and from memory, and the process goes on', async () => {
  const { app, known } = frontrow.instances[0]!;
  let isBroken = false;
  const lane = new Lane(app, new ErrorEdge(app.logger, true), new AcceptedTypes(), known!, () => {
    if (isBroken) throw new Error('a fault of ours');
    return false;
  });
  const server = createServer(lane.before((_request, response) => void response.writeHead(404).end())).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ask = async (query: string) => {
    const init = { method: 'POST', headers: { 'content-type': 'application/json', 'x-request-id': 'faulty' }, body: JSON.stringify({ query }) };
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`, init);
    return { status: response.status, id: response.headers.get('x-request-id'), body: await response.json() };
  };
  const [fresh, kept] = ['query Fresh { currency }', 'query Kept { currency }'];
  for (const query of [fresh, kept]) known!.teach(query);
  for (let use = 0; use < 2; use += 1) expect(await ask(kept)).toMatchObject({ status: 200, body: { data: { currency: 'KRW' } } });
  isBroken = true;
  const fault = { message: 'Something went wrong on our side.', extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: 'faulty' } };
  for (const query of [fresh, kept]) expect(await ask(query)).toEqual({ status: 500, id: 'faulty', body: { errors: [fault] } });
  isBroken = false;
  expect(await ask(fresh)).toMatchObject({ status: 200 });
  server.close();
});
