import {
  getNamedType, isCompositeType, isEnumType, isInputObjectType, isListType, isNonNullType, isUnionType, parse, print,
  type GraphQLField, type GraphQLInputType, type GraphQLSchema, type OperationTypeNode,
} from 'graphql';
import { v7 as uuid } from 'uuid';
import { resolvers } from '../../src/resolvers/index.js';
import { topics } from '../../src/redis/pubsub.js';
import { buildSchema } from '../../src/schema/build-schema.js';
import type { AdmittedBuyer, BuiltConcert } from '../support/builder.js';
import { websocketClient, type Credentials } from '../support/client.js';
import { subscribed } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { saleOf } from '../support/sale.js';

/** U3 from the schema itself: whatever takes an id is asked with every id that another user has. */

interface RootField {
  operation: OperationTypeNode;
  name: string;
  field: GraphQLField<unknown, unknown>;
  /** Where an id goes in, e.g. `input.reservationId`. */
  idPath: string;
}

interface Owner extends AdmittedBuyer {
  /** Every id that is the owner's alone, by what it names. */
  ids: Record<string, string>;
}

const LIST_DEPTH_MAX = 5;

function idPathsOf(type: GraphQLInputType, path: string, depth = 0): string[] {
  const named = getNamedType(type);
  if (named.name === 'ID') return [path];
  if (!isInputObjectType(named) || depth > LIST_DEPTH_MAX) return [];
  return Object.values(named.getFields()).flatMap((field) => idPathsOf(field.type, `${path}.${field.name}`, depth + 1));
}

/** A value that fits the type, with `id` at `idPath` and the id of nothing anywhere else. */
function valueOf(type: GraphQLInputType, path: string, idPath: string, id: string): unknown {
  if (isNonNullType(type)) return valueOf(type.ofType, path, idPath, id);
  if (isListType(type)) return [valueOf(type.ofType, path, idPath, id)];
  if (isEnumType(type)) return type.getValues()[0]!.name;
  if (isInputObjectType(type)) {
    const wanted = Object.values(type.getFields()).filter((field) => isNonNullType(field.type) || idPath.startsWith(`${path}.${field.name}`));
    return Object.fromEntries(wanted.map((field) => [field.name, valueOf(field.type, `${path}.${field.name}`, idPath, id)]));
  }
  if (type.name === 'ID') return path === idPath ? id : NOBODYS_ID;
  if (type.name === 'String') return 'Asia/Seoul';
  if (type.name === 'DateTime') return '2030-01-01T00:00:00.000Z';
  return type.name === 'Boolean' ? false : 1;
}

const NOBODYS_ID = uuid();

function rootFieldsOf(schema: GraphQLSchema): RootField[] {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].filter((root) => !!root);
  return roots.flatMap((root) =>
    Object.values(root.getFields()).flatMap((field) =>
      field.args
        .flatMap((arg) => idPathsOf(arg.type, arg.name))
        .map((idPath) => ({ operation: root.name.toLowerCase() as OperationTypeNode, name: field.name, field, idPath })),
    ),
  );
}

function requestOf({ operation, name, field, idPath }: RootField, id: string): { query: string; variables: Record<string, unknown> } {
  const args = field.args.filter((arg) => isNonNullType(arg.type) || idPath.split('.')[0] === arg.name);
  const type = getNamedType(field.type);
  const selection = isUnionType(type) ? '{ __typename ... on Refusal { message } }' : isCompositeType(type) ? '{ __typename }' : '';
  const query = `${operation} (${args.map((arg) => `$${arg.name}: ${arg.type.toString()}`).join(', ')}) {
    ${name}(${args.map((arg) => `${arg.name}: $${arg.name}`).join(', ')}) ${selection} }`;
  return { query: print(parse(query)), variables: Object.fromEntries(args.map((arg) => [arg.name, valueOf(arg.type, arg.name, idPath, id)])) };
}

let frontrow: Frontrow;
let concert: BuiltConcert;
let rootFields: RootField[];
beforeAll(async () => {
  frontrow = await startFrontrow({ env: { QUEUE_PASS_ATTEMPTS_MAX: '1000' } });
  concert = await frontrow.build.concert();
  rootFields = rootFieldsOf(await buildSchema(resolvers));
});
afterAll(() => frontrow.stop());

/** Someone with a hold, a paid reservation, a charge and a place in another queue. */
async function owner(seats: [number, number]): Promise<Owner> {
  const sale = saleOf(frontrow);
  const buyer = await frontrow.build.admittedBuyer(concert.id, { balance: 50_000 });
  const held = await sale.hold(buyer, concert.scheduleId, [seats[0]]);
  const paid = await sale.hold(buyer, concert.scheduleId, [seats[1]]);
  const payment = await sale.pay(buyer, paid.id);
  const charge = await sale.charge(buyer, 1000, uuid());
  if (payment.__typename !== 'Payment' || charge.__typename !== 'Charge') throw new Error(`No sale: ${JSON.stringify({ payment, charge })}`);
  await frontrow.build.admit(concert.id, [buyer]);
  return { ...buyer, ids: { user: buyer.id, session: buyer.sessionId, heldReservation: held.id, paidReservation: paid.id, payment: payment.id, charge: charge.id } };
}

const OWNED_TABLES = ['wallet', 'ledger_entry', 'charge', 'reservation', 'reservation_quota', 'payment', 'queue_pass', 'session'];

/** Everything the database says of a user. */
async function stateOf({ id, ids }: Owner): Promise<unknown> {
  const em = frontrow.app.transactions.fork();
  const rows = await Promise.all(OWNED_TABLES.map((table) => em.execute(`select * from ${table} where user_id = ? order by 1, 2`, [id])));
  const seats = await em.execute('select * from seat where reservation_id in (?, ?) order by id', [ids['heldReservation'], ids['paidReservation']]);
  return { rows, seats, user: await em.execute('select * from user where id = ?', [id]) };
}

/** The answer as text, in which the id and what is new in every answer are not told apart. */
async function answerTo(rootField: RootField, id: string, credentials: Credentials): Promise<string> {
  const request = requestOf(rootField, id);
  const answer = rootField.operation === 'subscription' ? await firstOf(request, credentials) : await frontrow.client().raw(request.query, request.variables, credentials);
  return JSON.stringify(answer, (key, value) => (key === 'requestId' ? undefined : value)).replaceAll(id, 'ID');
}

async function firstOf(request: { query: string; variables: Record<string, unknown> }, credentials: Credentials): Promise<unknown> {
  const client = websocketClient(frontrow.instances[0]!.url!, credentials);
  const messages = client.iterate(request);
  try {
    return await messages.next().catch((errors: unknown) => errors);
  } finally {
    await client.dispose();
  }
}

const nameOf = ({ operation, name, idPath }: RootField): string => `${operation} ${name}(${idPath})`;

/** Root fields whose answer tells the owner's ids from an id of nothing. */
async function tellingFields(asked: Owner, credentials: Credentials): Promise<Set<string>> {
  const telling = new Set<string>();
  for (const rootField of rootFields) {
    const unknown = await answerTo(rootField, uuid(), credentials);
    for (const id of Object.values(asked.ids)) {
      if ((await answerTo(rootField, id, credentials)) !== unknown) telling.add(nameOf(rootField));
    }
  }
  return telling;
}

test.each(['USER', 'ADMIN'] as const)('U3: with the ids of another user a %s gets the answers of ids that do not exist, from every field that takes an id', async (role) => {
  const victim = await owner(role === 'USER' ? [1, 2] : [3, 4]);
  const [stranger] = await frontrow.build.admit(concert.id, [await frontrow.build.buyer({ balance: 50_000, role })]);
  const before = await stateOf(victim);
  expect(await tellingFields(victim, stranger!)).toEqual(new Set());
  expect(await stateOf(victim)).toEqual(before);
});

test('each of these questions gets as far as the id (otherwise all answers would be alike for another reason)', async () => {
  const [admin] = await frontrow.build.admit(concert.id, [await frontrow.build.buyer({ role: 'ADMIN' })]);
  for (const rootField of rootFields) {
    const badId = `"code":"BAD_USER_INPUT","field":"${rootField.idPath.split('.').at(-1)}"`;
    const answer = await answerTo(rootField, uuid(), admin!);
    expect([nameOf(rootField), answer]).toEqual([nameOf(rootField), expect.stringMatching(new RegExp(`NOT_FOUND|QUEUE_TOKEN_REQUIRED|"${rootField.name}":null|${badId}`))]);
  }
});

test('U3: without signing in, too', async () => {
  expect(await tellingFields(await owner([5, 6]), {})).toEqual(new Set());
});

test('the owner gets other answers, so the test sees what it looks for (negative control)', async () => {
  const victim = await owner([7, 8]);
  expect(await tellingFields(victim, victim)).toEqual(
    new Set(['query reservation(id)', 'mutation cancelReservation(id)', 'mutation pay(input.reservationId)', 'mutation refund(paymentId)']),
  );
});

test("U3: another user's queue token opens nothing, and a token of another concert neither", async () => {
  const victim = await owner([9, 10]);
  const elsewhere = await frontrow.build.admittedBuyer((await frontrow.build.concert()).id);
  const stranger = await frontrow.build.buyer();
  const ask = (credentials: Credentials) => frontrow.client().raw('query ($id: ID!) { seats(scheduleId: $id) { id } }', { id: concert.scheduleId }, credentials);
  const none = await ask(stranger);
  expect(none.errors![0]!.extensions.code).toBe('QUEUE_TOKEN_REQUIRED');
  for (const credentials of [{ ...stranger, queueToken: victim.queueToken }, elsewhere]) {
    const answer = await ask(credentials);
    expect(answer.errors![0]!.extensions.code).toBe('QUEUE_TOKEN_REQUIRED');
    expect(answer.errors![0]!.message).toBe(none.errors![0]!.message);
  }
});

test("U3: me, its reservations and its payments are one's own only", async () => {
  await owner([11, 12]);
  const mine = await owner([13, 14]);
  const { data } = await frontrow.client().raw('{ me { id balance reservations { nodes { id } } payments { nodes { id } } } }', {}, mine);
  expect(data.me.id).toBe(mine.id);
  expect(data.me.balance).toBe(41_000);
  expect(data.me.reservations.nodes.map(({ id }: { id: string }) => id).sort()).toEqual([mine.ids['heldReservation'], mine.ids['paidReservation']].sort());
  expect(data.me.payments.nodes).toEqual([{ id: mine.ids['payment'] }]);
});

test("U3: reservationChanged tells of one's own reservations only", async () => {
  const victim = await owner([15, 16]);
  const [mine] = await frontrow.build.admit(concert.id, [await frontrow.build.buyer()]);
  const client = websocketClient(frontrow.instances[0]!.url!, mine);
  const changes = client.iterate<{ reservationChanged: { id: string } }>({ query: 'subscription { reservationChanged { id } }' });
  const first = changes.next();
  await subscribed(frontrow, topics.reservationChanged(mine!.id));
  const sale = saleOf(frontrow);
  await sale.cancel(victim, victim.ids['heldReservation']!);
  const { id } = await sale.hold(mine!, concert.scheduleId, [17]);
  expect((await first).value?.data?.reservationChanged.id).toBe(id);
  await client.dispose();
});
