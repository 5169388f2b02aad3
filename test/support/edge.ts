import { buildSchema, GraphQLObjectType, GraphQLScalarType, type GraphQLSchema } from 'graphql';
import { PassThrough } from 'node:stream';
import { createApp, type App, type StoreAddresses } from '../../src/app.js';
import type { Context } from '../../src/context.js';
import { migrate } from '../../src/database/migrate.js';
import { createLogger } from '../../src/logging.js';
import { applyGuards, type Access } from '../../src/resolvers/access.js';
import { Money } from '../../src/schema/scalars.js';
import { startServer, type Server } from '../../src/server.js';
import { directed } from './both-ways.js';
import { Builder } from './builder.js';
import { graphqlClient, type GraphqlClient } from './client.js';
import { testConfig } from './frontrow.js';
import { freshStores } from './stores.js';

/** The real edge on real stores, with a small schema whose fields do what a test of the edge needs: fail, wait, tick. */
export interface Edge {
  app: App;
  build: Builder;
  url: string;
  client: GraphqlClient;
  server: Server;
  /** Lines of the log so far. */
  log(): Record<string, unknown>[];
  stop(): Promise<void>;
}

type Resolver = (source: unknown, args: Record<string, any>, context: Context) => unknown;
export interface ToyField {
  access?: Access;
  /** Of a subscription: see resolvers/event-as-is.ts. */
  eventAsIs?: 'own' | 'shared';
  resolve?: Resolver;
  subscribe?: Resolver;
}
export type ToyFields = Record<string, ToyField>;

const SDL = /* GraphQL */ `
  scalar Money
  enum Colour { RED GREEN }
  input Inner { amount: Money! }
  input ThingInput { amount: Money! numbers: [Int!] inner: Inner colour: Colour note: String }
  type Node { value: Int! next: Node! list: [Node!]! twigs: [Twig!]! failing: Int broken: Int! }
  type Twig { leaves: [Leaf!]! }
  type Leaf { veins: [Vein!]! }
  type Vein { value: Int! }
  type Query { public: Int! node: Node! thing(input: ThingInput!): Int pick(colour: Colour, id: ID): Int fail(kind: String!): Int mine: Int! wait: Int! first(count: Int! = 1): Int }
  type Mutation { add(amount: Money!): Int! }
  type Subscription { ticks(count: Int!): Node! mine: Int! failing(kind: String!): Int! endless: Int! }
`;

/** The toy schema, with `fields` named as `Query.fail`. */
export function toySchema(fields: ToyFields): GraphQLSchema {
  const schema = buildSchema(SDL);
  Object.assign(schema.getType('Money') as GraphQLScalarType, { parseValue: Money.parseValue, parseLiteral: Money.parseLiteral, serialize: Money.serialize });
  for (const root of [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]) {
    for (const field of Object.values(root!.getFields())) {
      const toy = fields[`${root!.name}.${field.name}`] ?? {};
      field.extensions = { access: toy.access ?? 'public', ...(toy.eventAsIs ? { eventAsIs: toy.eventAsIs } : {}) };
      field.resolve = (toy.resolve ?? (root!.name === 'Subscription' ? (event: unknown) => event : () => 1)) as never;
      if (root!.name === 'Subscription') field.subscribe = (toy.subscribe ?? never) as never;
    }
  }
  const node = schema.getType('Node') as GraphQLObjectType;
  for (const [name, field] of Object.entries(fields)) {
    if (name.startsWith('Node.')) node.getFields()[name.slice('Node.'.length)]!.resolve = field.resolve as never;
  }
  return applyGuards(schema);
}

async function* never(): AsyncGenerator<never> {}

/** `reach` may put something between the edge and its stores. */
export async function startEdge(
  fields: ToyFields = {},
  env: Record<string, string> = {},
  reach: (stores: StoreAddresses) => Promise<StoreAddresses> = (stores) => Promise.resolve(stores),
): Promise<Edge> {
  const stores = await freshStores();
  const lines: string[] = [];
  const sink = new PassThrough();
  sink.on('data', (chunk: Buffer) => lines.push(...chunk.toString().split('\n').filter(Boolean)));
  const app = await createApp(testConfig(env), await reach(stores), createLogger('debug', sink));
  await migrate(app.orm);
  const server = await startServer(app, toySchema(fields));
  directed(server.url, app, server.known);
  let stopped = false;
  return {
    app,
    server,
    build: new Builder(app),
    url: server.url,
    client: graphqlClient(server.url),
    log: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    stop: async () => {
      if (stopped) return;
      stopped = true;
      await server.close();
      await app.close();
      await stores.drop();
    },
  };
}
