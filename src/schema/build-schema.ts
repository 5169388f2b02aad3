import 'reflect-metadata';
import { isAbstractType, isUnionType, type GraphQLAbstractType, type GraphQLSchema } from 'graphql';
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

export async function buildSchema(resolvers: Readonly<NonEmptyArray<Function>>): Promise<GraphQLSchema> {
  const schema = await buildTypeGraphqlSchema({
    resolvers: resolvers as NonEmptyArray<Function>,
    scalarsMap: [{ type: Date, scalar: DateTime }],
    pubSub: noPubSub,
    validate: false,
  });
  for (const type of Object.values(schema.getTypeMap())) if (isAbstractType(type)) resolveAtOnce(type);
  return schema;
}

/** Type-graphql asks for the type of a result with a promise, which costs a turn and is more than compiled operations understand. */
function resolveAtOnce(type: GraphQLAbstractType): void {
  const members = isUnionType(type) ? type.getTypes() : [];
  const success = members.find((member) => member.getInterfaces().length === 0)?.name;
  type.resolveType = (value: { typeName?: string }) => value.typeName ?? success;
}
