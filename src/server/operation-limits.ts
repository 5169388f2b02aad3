import {
  getNamedType,
  getNullableType,
  GraphQLError,
  isInterfaceType,
  isListType,
  isObjectType,
  OperationTypeNode,
  type ASTVisitor,
  type GraphQLOutputType,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';
import { ALIASES_MAX, DEPTH_MAX, FIELDS_MAX, LISTS_NESTED_MAX, LISTS_OF_A_TYPE_NESTED_MAX, MUTATIONS_MAX, ROOT_FIELDS_MAX } from './limits.js';

/** What a selection asks for when every fragment in it is written out. */
interface Size {
  depth: number;
  fields: number;
  aliases: number;
  /** Fields of the selection itself, without what is below them. */
  ownFields: number;
  /** Lists inside each other: with each of them the answer multiplies. */
  lists: number;
  /** The same by the type of what is listed: one that comes back inside itself multiplies with its own number. */
  listsOf: ReadonlyMap<string, number>;
}

type Type = GraphQLOutputType | undefined;

const NOTHING: Size = { depth: 0, fields: 0, aliases: 0, ownFields: 0, lists: 0, listsOf: new Map() };
const INTROSPECTION_ROOTS = new Set(['__schema', '__type']);

/** Refuses operations that ask for too much. Each fragment is measured once, so a small document that unfolds into millions of fields costs nothing to refuse. */
export function operationLimitsRule(context: ValidationContext): ASTVisitor {
  const fragments = new Map<string, Size>();
  return {
    OperationDefinition(operation) {
      for (const message of excesses(operation, sizeOf(operation.selectionSet, context.getSchema().getRootType(operation.operation) ?? undefined, context, fragments))) {
        context.reportError(new GraphQLError(message, { nodes: operation }));
      }
      return false;
    },
  };
}

function excesses(operation: OperationDefinitionNode, size: Size): string[] {
  const mutations = operation.operation === OperationTypeNode.MUTATION ? size.ownFields : 0;
  const limits: [what: string, asked: number, max: number][] = [
    ['levels deep', size.depth, DEPTH_MAX],
    ['fields', size.fields, FIELDS_MAX],
    ['aliases', size.aliases, ALIASES_MAX],
    ['root fields', size.ownFields, ROOT_FIELDS_MAX],
    ['mutations', mutations, MUTATIONS_MAX],
    ['lists inside each other', size.lists, LISTS_NESTED_MAX],
    ...[...size.listsOf].map(([type, nested]): [string, number, number] => [`lists of ${type} inside each other`, nested, LISTS_OF_A_TYPE_NESTED_MAX]),
  ];
  return limits.filter(([, asked, max]) => asked > max).map(([what, asked, max]) => `The operation asks for too much: ${what} ${asked}, at most ${max}.`);
}

function sizeOf(selectionSet: SelectionSetNode | undefined, type: Type, context: ValidationContext, fragments: Map<string, Size>): Size {
  const listsOf = new Map<string, number>();
  const total = { ...NOTHING, listsOf };
  for (const selection of selectionSet?.selections ?? []) {
    let size: Size;
    if (selection.kind === 'FragmentSpread') {
      size = fragmentSize(selection.name.value, context, fragments);
    } else if (selection.kind === 'InlineFragment') {
      size = sizeOf(selection.selectionSet, selection.typeCondition ? namedType(selection.typeCondition.name.value, context) : type, context, fragments);
    } else if (INTROSPECTION_ROOTS.has(selection.name.value)) {
      size = { ...NOTHING, aliases: selection.alias ? 1 : 0, ownFields: 1 };
    } else {
      const fieldType = isObjectType(type) || isInterfaceType(type) ? type.getFields()[selection.name.value]?.type : undefined;
      const below = sizeOf(selection.selectionSet, fieldType && getNamedType(fieldType), context, fragments);
      size = withField(below, fieldType, selection.alias !== undefined);
    }
    total.depth = Math.max(total.depth, size.depth);
    total.fields += size.fields;
    total.aliases += size.aliases;
    total.ownFields += size.ownFields;
    total.lists = Math.max(total.lists, size.lists);
    for (const [name, nested] of size.listsOf) listsOf.set(name, Math.max(listsOf.get(name) ?? 0, nested));
  }
  return total;
}

/** A field with what is below it. */
function withField(below: Size, type: Type, hasAlias: boolean): Size {
  const size = { ...below, depth: below.depth + 1, fields: below.fields + 1, aliases: below.aliases + (hasAlias ? 1 : 0), ownFields: 1 };
  if (!type || !isListType(getNullableType(type))) return size;
  const { name } = getNamedType(type);
  return { ...size, lists: below.lists + 1, listsOf: new Map(below.listsOf).set(name, (below.listsOf.get(name) ?? 0) + 1) };
}

function fragmentSize(name: string, context: ValidationContext, fragments: Map<string, Size>): Size {
  const known = fragments.get(name);
  if (known) return known;
  // Stands in while the fragment is measured: one that contains itself ends here, and another rule refuses it.
  fragments.set(name, NOTHING);
  const fragment = context.getFragment(name);
  const size = sizeOf(fragment?.selectionSet, fragment ? namedType(fragment.typeCondition.name.value, context) : undefined, context, fragments);
  fragments.set(name, size);
  return size;
}

const namedType = (name: string, context: ValidationContext): Type => context.getSchema().getType(name) as Type;
