import { lexicographicSortSchema, printSchema } from 'graphql';
import type { NonEmptyArray } from 'type-graphql';
import { buildSchema } from './build-schema.js';

export async function printServedSchema(resolvers: Readonly<NonEmptyArray<Function>>): Promise<string> {
  return `${printSchema(lexicographicSortSchema(await buildSchema(resolvers)))}\n`;
}
