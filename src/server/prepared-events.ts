import {
  defaultFieldResolver, getOperationAST, isLeafType, isListType, isNonNullType, isObjectType,
  type DocumentNode, type FieldNode, type GraphQLField, type GraphQLLeafType, type GraphQLObjectType, type GraphQLOutputType, type GraphQLSchema, type SelectionSetNode,
} from 'graphql';

/**
 * Events of a subscription as text, without execution: for one root field whose events are shown as they are (resolvers/event-as-is.ts) and a selection of plain
 * fields. Whatever else a document or an event has in it is executed as ever.
 */

/** The payload of the event, as execution and JSON.stringify would give it; null where only execution can tell. */
export type PreparedEvents = (event: unknown) => string | null;

type Write = (value: unknown) => string;

/** An event that would be an error, or needs waiting for: execution says which. */
class Unfit extends Error {}

export function prepareEvents(schema: GraphQLSchema, document: DocumentNode, operationName: string | null | undefined): PreparedEvents | null {
  const operation = getOperationAST(document, operationName);
  const [root, ...others] = operation?.selectionSet.selections ?? [];
  if (operation?.operation !== 'subscription' || operation.directives?.length || root?.kind !== 'Field' || others.length > 0 || root.directives?.length) return null;
  const field = schema.getSubscriptionType()?.getFields()[root.name.value];
  const asIs = field?.extensions['eventAsIs'];
  const write = field && asIs ? writerOf(field.type, root) : null;
  if (!write) return null;
  const key = JSON.stringify(keyOf(root));
  const prepared: PreparedEvents = (event) => {
    try {
      return `{"data":{${key}:${write(event)}}}`;
    } catch {
      return null;
    }
  };
  return asIs === 'shared' ? onceForEach(prepared) : prepared;
}

function onceForEach(prepared: PreparedEvents): PreparedEvents {
  const texts = new WeakMap<object, string | null>();
  return (event) => {
    if (typeof event !== 'object' || event === null) return prepared(event);
    let text = texts.get(event);
    if (text === undefined) texts.set(event, (text = prepared(event)));
    return text;
  };
}

const keyOf = (node: FieldNode): string => (node.alias ?? node.name).value;

function writerOf(type: GraphQLOutputType, node: FieldNode): Write | null {
  const nullable = isNonNullType(type) ? nullableWriterOf(type.ofType as GraphQLOutputType, node) : nullableWriterOf(type, node);
  if (!nullable) return null;
  const onNull = (): string => {
    if (isNonNullType(type)) throw new Unfit();
    return 'null';
  };
  return (value) => (value === null || value === undefined ? onNull() : nullable(value));
}

function nullableWriterOf(type: GraphQLOutputType, node: FieldNode): Write | null {
  if (isLeafType(type)) return leafWriterOf(type);
  if (isListType(type)) return listWriterOf(writerOf(type.ofType as GraphQLOutputType, node));
  return isObjectType(type) && node.selectionSet ? objectWriterOf(type, node.selectionSet) : null;
}

/** Most events have most values in common with the one before, also that of another socket. */
function leafWriterOf(type: GraphQLLeafType): Write {
  let [last, text]: [unknown, string] = [undefined, ''];
  return (value) => {
    if (value === last) return text;
    if (typeof value === 'function') throw new Unfit();
    const serialized = type.serialize(value);
    if (serialized === null || serialized === undefined) throw new Unfit();
    text = JSON.stringify(serialized);
    last = value;
    return text;
  };
}

function listWriterOf(item: Write | null): Write | null {
  if (!item) return null;
  return (value) => {
    if (!Array.isArray(value)) throw new Unfit();
    let text = '';
    for (const one of value) text += text === '' ? item(one) : `,${item(one)}`;
    return `[${text}]`;
  };
}

interface PreparedField {
  key: string;
  property: string;
  write: Write;
}

function objectWriterOf(type: GraphQLObjectType, { selections }: SelectionSetNode): Write | null {
  const fields: PreparedField[] = [];
  const names = new Set<string>();
  for (const node of selections) {
    if (node.kind !== 'Field' || node.directives?.length || node.arguments?.length || names.has(keyOf(node))) return null;
    const prepared = preparedField(type, node);
    if (!prepared) return null;
    names.add(keyOf(node));
    fields.push({ ...prepared, key: `${fields.length > 0 ? ',' : '{'}${JSON.stringify(keyOf(node))}:` });
  }
  return (value) => {
    if (typeof value !== 'object' || typeof (value as { then?: unknown }).then === 'function') throw new Unfit();
    let text = '';
    for (const { key, property, write } of fields) text += key + write((value as Record<string, unknown>)[property]);
    return `${text}}`;
  };
}

function preparedField(type: GraphQLObjectType, node: FieldNode): Omit<PreparedField, 'key'> | null {
  const property = node.name.value;
  if (property === '__typename') return { property, write: () => JSON.stringify(type.name) };
  const field: GraphQLField<unknown, unknown> | undefined = type.getFields()[property];
  if (!field || (field.resolve && field.resolve !== defaultFieldResolver)) return null;
  const write = writerOf(field.type, node);
  return write && { property, write };
}
