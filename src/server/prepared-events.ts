import {
  defaultFieldResolver, getOperationAST, isLeafType, isListType, isNonNullType, isObjectType, Kind,
  type DocumentNode, type FieldNode, type FragmentDefinitionNode, type GraphQLLeafType, type GraphQLObjectType, type GraphQLOutputType, type GraphQLSchema,
  type SelectionSetNode,
} from 'graphql';

/**
 * Events of a subscription as text, without execution: for one root field whose events are shown as they are (resolvers/event-as-is.ts) and a selection of plain
 * fields. Whatever else a document or an event has in it is executed as ever.
 */

/** The payload of the event, as execution and JSON.stringify would give it; null where only execution can tell. */
export interface PreparedEvents {
  (event: unknown): string | null;
  /** Several are given the very same event, and then the very same text. */
  readonly isShared: boolean;
}

type Write = (value: unknown) => string;

/** An event that would be an error, or needs waiting for: execution says which. */
class Unfit extends Error {}

export function prepareEvents(schema: GraphQLSchema, document: DocumentNode, operationName: string | null | undefined): PreparedEvents | null {
  const operation = getOperationAST(document, operationName);
  const rootType = schema.getSubscriptionType();
  if (operation?.operation !== 'subscription' || !rootType || operation.directives?.length) return null;
  const fragments = new Map(document.definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node] as const] : [])));
  const [root, ...others] = fieldsOf(rootType, operation.selectionSet, fragments) ?? [];
  if (!root || others.length > 0) return null;
  const field = rootType.getFields()[root.name.value];
  const asIs = field?.extensions['eventAsIs'];
  const write = field && asIs ? writerOf(field.type, root, fragments) : null;
  if (!write) return null;
  const key = JSON.stringify(keyOf(root));
  const prepared = (event: unknown): string | null => {
    try {
      return `{"data":{${key}:${write(event)}}}`;
    } catch {
      return null;
    }
  };
  const isShared = asIs === 'shared';
  return Object.assign(isShared ? onceForEach(prepared) : prepared, { isShared });
}

type Fragments = ReadonlyMap<string, FragmentDefinitionNode>;

/** The fields of a selection with its fragments written out, in the order of the answer; null where that depends on anything. */
function fieldsOf(type: GraphQLObjectType, { selections }: SelectionSetNode, fragments: Fragments): FieldNode[] | null {
  const fields = new Map<string, FieldNode>();
  for (const node of selections) {
    if (node.directives?.length) return null;
    const own = node.kind === Kind.FIELD ? [node] : fragmentFieldsOf(type, node.kind === Kind.FRAGMENT_SPREAD ? fragments.get(node.name.value) : node, fragments);
    if (!own) return null;
    for (const field of own) {
      const same = fields.get(keyOf(field));
      // Two selections of one object would have to be made one.
      if (same && (same.selectionSet ?? field.selectionSet)) return null;
      fields.set(keyOf(field), same ?? field);
    }
  }
  return [...fields.values()];
}

function fragmentFieldsOf(
  type: GraphQLObjectType,
  fragment: Pick<FragmentDefinitionNode, 'selectionSet' | 'directives'> & { typeCondition?: FragmentDefinitionNode['typeCondition'] | undefined } | undefined,
  fragments: Fragments,
): FieldNode[] | null {
  if (!fragment || fragment.directives?.length || (fragment.typeCondition && fragment.typeCondition.name.value !== type.name)) return null;
  return fieldsOf(type, fragment.selectionSet, fragments);
}

function onceForEach(prepared: (event: unknown) => string | null): typeof prepared {
  const texts = new WeakMap<object, string | null>();
  return (event) => {
    if (typeof event !== 'object' || event === null) return prepared(event);
    let text = texts.get(event);
    if (text === undefined) texts.set(event, (text = prepared(event)));
    return text;
  };
}

const keyOf = (node: FieldNode): string => (node.alias ?? node.name).value;

function writerOf(type: GraphQLOutputType, node: FieldNode, fragments: Fragments): Write | null {
  const nullable = nullableWriterOf(isNonNullType(type) ? (type.ofType as GraphQLOutputType) : type, node, fragments);
  if (!nullable) return null;
  const onNull = (): string => {
    if (isNonNullType(type)) throw new Unfit();
    return 'null';
  };
  return (value) => (value === null || value === undefined ? onNull() : nullable(value));
}

function nullableWriterOf(type: GraphQLOutputType, node: FieldNode, fragments: Fragments): Write | null {
  if (isLeafType(type)) return leafWriterOf(type);
  if (isListType(type)) return listWriterOf(writerOf(type.ofType as GraphQLOutputType, node, fragments));
  return isObjectType(type) && node.selectionSet ? objectWriterOf(type, node.selectionSet, fragments) : null;
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

function objectWriterOf(type: GraphQLObjectType, selectionSet: SelectionSetNode, fragments: Fragments): Write | null {
  const fields: PreparedField[] = [];
  for (const node of fieldsOf(type, selectionSet, fragments) ?? []) {
    const write = fieldWriterOf(type, node, fragments);
    if (!write) return null;
    fields.push({ key: `${fields.length > 0 ? ',' : '{'}${JSON.stringify(keyOf(node))}:`, property: node.name.value, write });
  }
  if (fields.length === 0) return null;
  return (value) => {
    if (typeof value !== 'object' || typeof (value as { then?: unknown }).then === 'function') throw new Unfit();
    let text = '';
    for (const { key, property, write } of fields) text += key + write((value as Record<string, unknown>)[property]);
    return `${text}}`;
  };
}

function fieldWriterOf(type: GraphQLObjectType, node: FieldNode, fragments: Fragments): Write | null {
  if (node.name.value === '__typename') return () => JSON.stringify(type.name);
  const field = type.getFields()[node.name.value];
  if (!field || node.arguments?.length || (field.resolve && field.resolve !== defaultFieldResolver)) return null;
  return writerOf(field.type, node, fragments);
}
