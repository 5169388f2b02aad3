import { getArgumentValues, isObjectType, Kind, TypeInfo, visit, visitWithTypeInfo, type FieldNode, type GraphQLField, type GraphQLSchema, type OperationDefinitionNode, type DocumentNode } from 'graphql';
import { isGuarded } from '../resolvers/access.js';
import type { Variables } from './known-operation.js';
import { RowWriter } from './row-answers.js';

/** Root fields that answer alike to everybody whom their guards let through, and note all they read (context.reads). */
const SHARED_FIELDS: ReadonlySet<string> = new Set(['concerts', 'concert', 'schedules', 'seats', 'seatMap']);
/** Those whose answer never changes while a process runs. */
const STATIC_FIELDS: ReadonlySet<string> = new Set(['currency', '__typename']);

type Field = GraphQLField<unknown, unknown>;

/** The fields that an operation asks of the root, where its whole answer may be given to others too; null where it may not. */
export interface SharedRoot {
  fields: readonly { field: Field; node: FieldNode }[];
  isStatic: boolean;
  /** Where its answer is nothing but a list of rows. */
  rows: RowWriter | null;
}

export function sharedRootOf(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode): SharedRoot | null {
  const root = schema.getQueryType();
  if (operation.operation !== 'query' || !root) return null;
  const fields: { field: Field; node: FieldNode }[] = [];
  const names = new Set<string>();
  for (const node of operation.selectionSet.selections) {
    // Whether these are asked for at all depends on more than their names.
    if (node.kind !== Kind.FIELD || (node.directives?.length ?? 0) > 0) return null;
    names.add(node.name.value);
    const field = root.getFields()[node.name.value];
    if (field) fields.push({ field, node });
  }
  const isStatic = [...names].every((name) => STATIC_FIELDS.has(name));
  const isShared = [...names].every((name) => SHARED_FIELDS.has(name) || STATIC_FIELDS.has(name));
  if (!isShared || hasGuardsInside(schema, document)) return null;
  const only = operation.selectionSet.selections.length === 1 ? fields[0] : undefined;
  return { fields, isStatic, rows: only ? RowWriter.of(only.field, only.node) : null };
}

/** What the guards of the root fields are asked about. */
export const guardArguments = ({ fields }: SharedRoot, variables: Variables): { field: Field; args: Record<string, unknown> }[] =>
  fields.map(({ field, node }) => ({ field, args: getArgumentValues(field, node, variables) }));

function hasGuardsInside(schema: GraphQLSchema, document: DocumentNode): boolean {
  const types = new TypeInfo(schema);
  let found = false;
  visit(
    document,
    visitWithTypeInfo(types, {
      Field() {
        const [parent, field] = [types.getParentType(), types.getFieldDef()];
        if (field && isObjectType(parent) && parent !== schema.getQueryType() && isGuarded(field)) found = true;
      },
    }),
  );
  return found;
}
