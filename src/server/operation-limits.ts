import { GraphQLError, OperationTypeNode, type ASTVisitor, type OperationDefinitionNode, type SelectionSetNode, type ValidationContext } from 'graphql';
import { ALIASES_MAX, DEPTH_MAX, FIELDS_MAX, MUTATIONS_MAX, ROOT_FIELDS_MAX } from './limits.js';

/** What a selection asks for when every fragment in it is written out. */
interface Size {
  depth: number;
  fields: number;
  aliases: number;
  /** Fields of the selection itself, without what is below them. */
  ownFields: number;
}

const INTROSPECTION_ROOTS = new Set(['__schema', '__type']);

/** Refuses operations that ask for too much. Each fragment is measured once, so a small document that unfolds into millions of fields costs nothing to refuse. */
export function operationLimitsRule(context: ValidationContext): ASTVisitor {
  const fragments = new Map<string, Size>();
  return {
    OperationDefinition(operation) {
      for (const message of excesses(operation, sizeOf(operation.selectionSet, context, fragments))) {
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
  ];
  return limits.filter(([, asked, max]) => asked > max).map(([what, asked, max]) => `The operation asks for too much: ${what} ${asked}, at most ${max}.`);
}

function sizeOf(selectionSet: SelectionSetNode | undefined, context: ValidationContext, fragments: Map<string, Size>): Size {
  const total: Size = { depth: 0, fields: 0, aliases: 0, ownFields: 0 };
  for (const selection of selectionSet?.selections ?? []) {
    if (selection.kind === 'Field') {
      const isIntrospection = INTROSPECTION_ROOTS.has(selection.name.value);
      const below = isIntrospection ? undefined : sizeOf(selection.selectionSet, context, fragments);
      total.depth = Math.max(total.depth, below ? below.depth + 1 : 0);
      total.fields += below ? below.fields + 1 : 0;
      total.aliases += (selection.alias ? 1 : 0) + (below?.aliases ?? 0);
      total.ownFields += 1;
    } else {
      const spread = selection.kind === 'InlineFragment' ? sizeOf(selection.selectionSet, context, fragments) : fragmentSize(selection.name.value, context, fragments);
      total.depth = Math.max(total.depth, spread.depth);
      total.fields += spread.fields;
      total.aliases += spread.aliases;
      total.ownFields += spread.ownFields;
    }
  }
  return total;
}

function fragmentSize(name: string, context: ValidationContext, fragments: Map<string, Size>): Size {
  const known = fragments.get(name);
  if (known) return known;
  // Stands in while the fragment is measured: one that contains itself ends here, and another rule refuses it.
  fragments.set(name, { depth: 0, fields: 0, aliases: 0, ownFields: 0 });
  const size = sizeOf(context.getFragment(name)?.selectionSet, context, fragments);
  fragments.set(name, size);
  return size;
}
