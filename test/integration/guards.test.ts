import {
  getNamedType, getNullableType, isCompositeType, isEnumType, isInputObjectType, isListType, isObjectType, isRequiredArgument, isRequiredInputField, parse,
  type GraphQLField, type GraphQLInputType, type GraphQLSchema, type OperationDefinitionNode,
} from 'graphql';
import { Query, Resolver, Subscription } from 'type-graphql';
import { v7 as uuid } from 'uuid';
import { applyGuards, BehindQueue, Public, SignedIn, type Access, type QueueGuard } from '../../src/resolvers/access.js';
import { resolvers } from '../../src/resolvers/index.js';
import { buildSchema } from '../../src/schema/build-schema.js';
import { sharedRootOf } from '../../src/server/shared-fields.js';
import type { Buyer } from '../support/builder.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { queueOf } from '../support/queue.js';
import { socketErrors } from '../support/raw-socket.js';
import { read } from '../support/sources.js';

/** What anybody may use. A new field is added here by hand, by somebody who has thought about it. */
const PUBLIC_FIELDS = [
  'Mutation.refreshSession', 'Mutation.signIn', 'Mutation.signUp',
  'Query.concert', 'Query.concerts', 'Query.currency', 'Query.now', 'Query.schedules',
];
const NEEDS_PASS = /Needs an ACTIVE pass/;

interface RootField {
  name: string;
  operation: string;
  field: GraphQLField<unknown, unknown>;
  access: Access;
  queue: QueueGuard | undefined;
}

const rootFields = (schema: GraphQLSchema): RootField[] =>
  [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap((type) =>
    Object.values(type?.getFields() ?? {}).map((field) => ({
      name: `${type!.name}.${field.name}`,
      operation: type!.name.toLowerCase(),
      field,
      ...(field.extensions as { access: Access; queue?: QueueGuard }),
      queue: (field.extensions as { queue?: QueueGuard }).queue,
    })),
  );

const schema = await buildSchema(resolvers);
const fields = rootFields(schema);
const protectedFields = fields.filter(({ access }) => access !== 'public');
const adminFields = fields.filter(({ access }) => access === 'admin');
const queueFields = fields.filter(({ queue }) => queue !== undefined);

/** Whether a session that was good within the last second is believed for an operation of this field alone. */
function isRemembered(operation: string, name: string): boolean {
  const document = parse(`${operation} { ${name} }`);
  return sharedRootOf(schema, document, document.definitions[0] as OperationDefinitionNode) !== null;
}

test('a session is remembered for the queries that docs/edge.md names and nothing else: each is open to guests, or the same for all who have a pass', () => {
  const remembered = fields.filter(({ operation, field }) => isRemembered(operation, field.name));
  const documented = /^\| that a session is good \| (.*?) \|/m.exec(read('docs/edge.md'))![1]!.matchAll(/`(\w+)`/g);
  expect([...remembered.map(({ field }) => field.name), '__typename'].sort()).toEqual([...documented].map(([, name]) => name).sort());
  expect(remembered.filter(({ operation, access, queue }) => operation !== 'query' || (access !== 'public' && (queue === undefined || queue.countsAttempt)))).toEqual([]);
  expect(isRemembered('query', '__typename currency')).toBe(true);
  expect(isRemembered('query', 'currency me')).toBe(false);
});

let frontrow: Frontrow;
let concert: { id: string; scheduleId: string };
let user: Buyer;
beforeAll(async () => {
  frontrow = await startFrontrow();
  concert = await frontrow.build.concert();
  user = await frontrow.build.buyer();
});
afterAll(() => frontrow.stop());

/** A value of the type that is good enough to get past the parser; ids of what the queue guard looks up are real. */
function valueOf(name: string, type: GraphQLInputType): unknown {
  const bare = getNullableType(type);
  if (isListType(bare)) return [valueOf(name, bare.ofType)];
  if (isEnumType(bare)) return bare.getValues()[0]!.name;
  if (isInputObjectType(bare)) {
    return Object.fromEntries(Object.values(bare.getFields()).filter(isRequiredInputField).map((field) => [field.name, valueOf(field.name, field.type)]));
  }
  if (name === 'scheduleId') return concert.scheduleId;
  if (name === 'concertId') return concert.id;
  const samples: Record<string, unknown> = { ID: uuid(), String: 'text', Int: 1, Money: 1, Boolean: true, DateTime: '2026-11-20T12:00:00.000Z', Float: 1 };
  if (!(bare.name in samples)) throw new Error(`The test has no value for ${bare.name}.`);
  return samples[bare.name];
}

function operationOf({ operation, field }: RootField): { query: string; variables: Record<string, unknown> } {
  const args = field.args.filter(isRequiredArgument);
  const declared = args.map((arg) => `$${arg.name}: ${String(arg.type)}`).join(', ');
  const given = args.map((arg) => `${arg.name}: $${arg.name}`).join(', ');
  const selection = isCompositeType(getNamedType(field.type)) ? ' { __typename }' : '';
  return {
    query: `${operation}${declared && ` (${declared})`} { ${field.name}${given && `(${given})`}${selection} }`,
    variables: Object.fromEntries(args.map((arg) => [arg.name, valueOf(arg.name, arg.type)])),
  };
}

/** Code of the first error, by the transport that the field is for. */
async function codeFor(root: RootField, credentials: { accessToken?: string; queueToken?: string } = {}): Promise<string | undefined> {
  const { query, variables } = operationOf(root);
  if (root.operation !== 'subscription') return (await frontrow.client().raw(query, variables, credentials)).errors?.[0]?.extensions.code;
  const init = { ...(credentials.accessToken ? { authorization: `Bearer ${credentials.accessToken}` } : {}), ...(credentials.queueToken ? { queueToken: credentials.queueToken } : {}) };
  return (await socketErrors(frontrow.client().url, query, variables, init))?.[0].extensions.code;
}

test('Q2: the public fields are those that were meant to be', () => {
  expect(fields.filter(({ access }) => access === 'public').map(({ name }) => name).sort()).toEqual(PUBLIC_FIELDS);
});

test('Q2: what the schema says of a pass is what the guards check, on every type', () => {
  const all = Object.values(schema.getTypeMap()).filter(isObjectType).flatMap((type) => Object.values(type.getFields()).map((field) => ({ name: `${type.name}.${field.name}`, field })));
  const described = all.filter(({ field }) => NEEDS_PASS.test(field.description ?? '')).map(({ name }) => name);
  const guarded = all.filter(({ field }) => 'queue' in field.extensions).map(({ name }) => name);
  expect(described).toEqual(guarded);
  expect(guarded).toEqual(expect.arrayContaining(['Query.seats', 'Mutation.reserve']));
});

test.each(protectedFields)('Q2: without a token $name is UNAUTHENTICATED', async (root) => {
  expect(await codeFor(root)).toBe('UNAUTHENTICATED');
});

test('U1: an access token that is forged, unsigned, expired, of another kind or far too long is none', async () => {
  const { tokens, config } = frontrow.app;
  const [header, claims] = user.accessToken.split('.');
  const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims}.`;
  const admin = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(claims!, 'base64url').toString()), role: 'ADMIN' })).toString('base64url');
  const expired = await tokens.signAccess({ id: user.id, role: 'USER' }, user.sessionId, new Date(Date.now() - config.accessTokenTtlMs - 2000));
  const { queueToken } = await frontrow.build.admittedBuyer(concert.id);
  const bad = [`${user.accessToken.slice(0, -6)}AAAAAA`, `${header}.${admin}.${user.accessToken.split('.')[2]}`, unsigned, expired.token, queueToken, tokens.signRefresh(user.sessionId, 1), 'x'.repeat(10_000), 'null'];
  for (const accessToken of bad) {
    const answer = await frontrow.client().raw('{ me { id } }', {}, { accessToken });
    expect([answer.status, answer.errors?.[0]?.extensions.code]).toEqual([200, 'UNAUTHENTICATED']);
  }
  expect((await frontrow.client().raw('{ me { id } }', {}, user)).data).toEqual({ me: { id: user.id } });
});

test.each(adminFields)('U3: for a USER $name is FORBIDDEN', async (root) => {
  expect(await codeFor(root, user)).toBe('FORBIDDEN');
});

test.each(queueFields)('Q2: without a queue token $name is QUEUE_TOKEN_REQUIRED', async (root) => {
  expect(await codeFor(root, user)).toBe('QUEUE_TOKEN_REQUIRED');
});

test.each(queueFields)("Q2: with somebody else's queue token, one of another concert, or one of another kind $name is QUEUE_TOKEN_REQUIRED", async (root) => {
  const elsewhere = await frontrow.build.concert();
  const other = await frontrow.build.admittedBuyer(concert.id);
  const mineElsewhere = await frontrow.build.admittedBuyer(elsewhere.id);
  expect(await codeFor(root, { ...user, queueToken: other.queueToken })).toBe('QUEUE_TOKEN_REQUIRED');
  expect(await codeFor(root, mineElsewhere)).toBe('QUEUE_TOKEN_REQUIRED');
  expect(await codeFor(root, { ...user, queueToken: user.accessToken })).toBe('QUEUE_TOKEN_REQUIRED');
});

test.each(queueFields)('Q2: while waiting $name is QUEUE_TOKEN_WAITING, and after leaving QUEUE_TOKEN_EXPIRED', async (root) => {
  const waiter = await frontrow.build.buyer();
  const queue = queueOf(frontrow);
  const { token } = await queue.join(waiter, concert.id);
  expect(await codeFor(root, { ...waiter, queueToken: token })).toBe('QUEUE_TOKEN_WAITING');
  await queue.leave(waiter, concert.id);
  expect(await codeFor(root, { ...waiter, queueToken: token })).toBe('QUEUE_TOKEN_EXPIRED');
});

test.each(queueFields)('Q2: with a pass $name is let through', async (root) => {
  const admitted = await frontrow.build.admittedBuyer(concert.id);
  expect(await codeFor(root, admitted)).toBeUndefined();
});

describe('a field whose guard was forgotten stops the build', () => {
  @Resolver()
  class Unguarded {
    @Query(() => String)
    open(): string {
      return 'open';
    }
  }
  @Resolver()
  class UnguardedSubscription {
    @Public()
    @Query(() => String)
    fine(): string {
      return 'fine';
    }
    @Subscription(() => String, { subscribe: () => ({ async *[Symbol.asyncIterator]() {} }) as never })
    events(): string {
      return 'event';
    }
  }
  @Resolver()
  class PublicBehindQueue {
    @Public()
    @BehindQueue({ scheduleId: () => 'any', countsAttempt: false })
    @Query(() => String)
    seats(): string {
      return 'seats';
    }
  }
  @Resolver()
  class Guarded {
    @SignedIn()
    @Query(() => String)
    mine(): string {
      return 'mine';
    }
  }

  test.each<[name: string, resolver: Function, message: RegExp]>([
    ['a root field that does not say who may use it', Unguarded, /Query\.open must say who may use it/],
    ['a subscription that does not', UnguardedSubscription, /Subscription\.events must say who may use it/],
    ['a public field behind the queue', PublicBehindQueue, /Query\.seats is behind the queue, so it must need sign-in/],
  ])('%s', async (_name, resolver, message) => {
    const toy = await buildSchema([resolver]);
    expect(() => applyGuards(toy)).toThrow(message);
  });

  test('and one that has it does not', async () => {
    const toy = await buildSchema([Guarded]);
    expect(() => applyGuards(toy)).not.toThrow();
  });
});
