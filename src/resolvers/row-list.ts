import type { GraphQLField } from 'graphql';
import { Extensions } from 'type-graphql';
import type { Context } from '../context.js';

/** The rows that a root field answers with, as they are, without its guards. A row is never changed in its place: what is the same object is the same row. */
export type RowsOf = (args: Record<string, unknown>, context: Context) => Promise<readonly object[]>;

/** Notes on a field that it answers with such rows, in their order. */
export const RowList = (rowsOf: RowsOf): MethodDecorator => Extensions({ rowsOf }) as MethodDecorator;

export const rowsOfField = (field: GraphQLField<unknown, unknown>): RowsOf | undefined => (field.extensions as { rowsOf?: RowsOf }).rowsOf;
