import 'reflect-metadata';
import type { GraphQLSchema } from 'graphql';
import { buildSchema as buildTypeGraphqlSchema, type NonEmptyArray } from 'type-graphql';
import { DateTime } from './scalars.js';

/** Every subscription names its own source in a service; type-graphql's own publishing is never used. */
const noPubSub = {
  publish: (): never => {
    throw new Error('Publish from a service.');
  },
  subscribe: (): never => {
    throw new Error('A subscription needs a `subscribe` of its own.');
  },
};

export function buildSchema(resolvers: Readonly<NonEmptyArray<Function>>): Promise<GraphQLSchema> {
  return buildTypeGraphqlSchema({
    resolvers: resolvers as NonEmptyArray<Function>,
    scalarsMap: [{ type: Date, scalar: DateTime }],
    pubSub: noPubSub,
    validate: false,
  });
}
