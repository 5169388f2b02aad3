import {
  GraphQLError,
  isObjectType,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
  type DocumentNode,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type ValidationRule,
} from 'graphql';
import { ERRORS_MAX, TOKENS_MAX } from './limits.js';
import { operationLimitsRule } from './operation-limits.js';

/** What is checked of an operation before it runs, whichever transport it came by. */

export const PARSE_OPTIONS = { maxTokens: TOKENS_MAX } as const;

export const extraRules = (production: boolean): ValidationRule[] => [operationLimitsRule, ...(production ? [NoSchemaIntrospectionCustomRule] : [])];

export const validationOptions = (production: boolean) => ({ maxErrors: ERRORS_MAX, hideSuggestions: production });

/** For the websocket, where no Apollo server stands in front. Throws what is wrong with the document, or returns it. */
export function checkedDocument(schema: GraphQLSchema, query: string, production: boolean): { document: DocumentNode } | { errors: readonly GraphQLError[] } {
  try {
    const document = parse(query, PARSE_OPTIONS);
    const errors = validate(schema, document, [...specifiedRules, ...extraRules(production)], validationOptions(production));
    return errors.length > 0 ? { errors } : { document };
  } catch (error) {
    if (error instanceof GraphQLError) return { errors: [error] };
    throw error;
  }
}

/** For metrics: the operation by the schema's own names. What a client calls it would make as many series as there are clients. */
export function labelOf(schema: GraphQLSchema, operation: OperationDefinitionNode | null | undefined): { type: string; field: string } {
  if (!operation) return { type: 'invalid', field: 'invalid' };
  const root = schema.getRootType(operation.operation);
  const names = operation.selectionSet.selections.flatMap((selection) => (selection.kind === 'Field' ? [selection.name.value] : []));
  const known = names.filter((name) => name === '__typename' || (isObjectType(root) && name in root.getFields()));
  return { type: operation.operation, field: known.length === 1 && names.length === 1 ? known[0]! : known.length === 0 ? 'other' : 'several' };
}
