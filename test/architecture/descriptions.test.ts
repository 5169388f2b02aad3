import { isEnumType, isInputObjectType, isInterfaceType, isIntrospectionType, isObjectType, isSpecifiedScalarType, type GraphQLSchema } from 'graphql';
import { resolvers } from '../../src/resolvers/index.js';
import { buildSchema } from '../../src/schema/build-schema.js';

/** Every place of the schema where a reader needs words and finds none. */
function undescribed(schema: GraphQLSchema): string[] {
  const missing: string[] = [];
  const check = (place: string, { description }: { description?: string | null }): void => {
    if (!description?.trim()) missing.push(place);
  };
  for (const type of Object.values(schema.getTypeMap())) {
    if (isIntrospectionType(type) || isSpecifiedScalarType(type)) continue;
    if (!isRoot(schema, type.name)) check(type.name, type);
    if (isEnumType(type)) for (const value of type.getValues()) check(`${type.name}.${value.name}`, value);
    if (isInputObjectType(type)) for (const field of Object.values(type.getFields())) check(`${type.name}.${field.name}`, field);
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      check(`${type.name}.${field.name}`, field);
      for (const argument of field.args) check(`${type.name}.${field.name}(${argument.name})`, argument);
    }
  }
  return missing;
}

const isRoot = (schema: GraphQLSchema, name: string): boolean =>
  [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].some((root) => root?.name === name);

test('O7: every type, field, argument, enum value and input field has a description', async () => {
  expect(undescribed(await buildSchema(resolvers))).toEqual([]);
});

test('what only an admin may do says so', async () => {
  const schema = await buildSchema(resolvers);
  const roots = [schema.getQueryType()!, schema.getMutationType()!];
  const admin = roots.flatMap((root) => Object.values(root.getFields())).filter((field) => field.extensions['access'] === 'admin');
  expect(admin.length).toBeGreaterThanOrEqual(11);
  expect(admin.filter((field) => !field.description?.startsWith('Admin: ')).map((field) => field.name)).toEqual([]);
});
