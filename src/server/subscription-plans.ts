import { getOperationAST, type DocumentNode, type GraphQLError, type GraphQLSchema, type OperationTypeNode } from 'graphql';
import { checkedDocument, labelOf } from './operation-rules.js';
import { prepareEvents, type PreparedEvents } from './prepared-events.js';

/** What was found out about a document: a crowd that subscribes with the same text has it parsed, validated and kept once. */
export interface SubscriptionPlan {
  query: string;
  document: DocumentNode;
  label: { type: string; field: string };
  /** Null without such an operation in the document. */
  kind: OperationTypeNode | null;
  events: PreparedEvents | null;
}

/** Texts that are kept, each at most so long. */
export const PLANS_MAX = 200;
export const PLAN_MAX_LENGTH = 4096;

export class SubscriptionPlans {
  readonly #known = new Map<string, SubscriptionPlan>();

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly production: boolean,
  ) {}

  of(query: string, operationName: string | null | undefined): SubscriptionPlan | readonly GraphQLError[] {
    const key = `${operationName ?? ''}\n${query}`;
    const known = this.#known.get(key);
    if (known) {
      // The one that was not asked for the longest is forgotten first.
      this.#known.delete(key);
      this.#known.set(key, known);
      return known;
    }
    const checked = checkedDocument(this.schema, query, this.production);
    if ('errors' in checked) return checked.errors;
    const plan = this.#planOf(query, checked.document, operationName);
    if (key.length <= PLAN_MAX_LENGTH) this.#known.set(key, plan);
    if (this.#known.size > PLANS_MAX) this.#known.delete(this.#known.keys().next().value!);
    return plan;
  }

  #planOf(query: string, document: DocumentNode, operationName: string | null | undefined): SubscriptionPlan {
    const operation = getOperationAST(document, operationName);
    return { query, document, label: labelOf(this.schema, operation), kind: operation?.operation ?? null, events: prepareEvents(this.schema, document, operationName) };
  }
}
