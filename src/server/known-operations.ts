import { createHash } from 'node:crypto';
import { Kind, type DocumentNode, type GraphQLSchema } from 'graphql';
import { Recent } from '../domain/recent.js';
import { CompileBudget } from './compile-budget.js';
import { KnownOperation } from './known-operation.js';
import { checkedDocument } from './operation-rules.js';

/** Documents of clients that are remembered; the longest unused go first. The server's own are never forgotten. Parsed, a large one takes some 200 kB. */
export const KNOWN_DOCUMENTS_MAX = 200;
/** A longer one is parsed each time. */
export const KNOWN_DOCUMENT_MAX_LENGTH = 8192;

export interface KnownDocument {
  text: string;
  hash: string;
  /** By name; null for the only one. */
  operations: ReadonlyMap<string | null, KnownOperation>;
}

/**
 * Documents that were parsed and found valid in this process, with the rules that hold for all: what they ask for needs no second look. By their text, and by
 * its SHA-256 for clients that send only that (automatic persisted queries).
 */
export class KnownOperations {
  readonly #own = new Map<string, KnownDocument>();
  readonly #ownByHash = new Map<string, KnownDocument>();
  readonly #recent = new Recent<string, KnownDocument>(KNOWN_DOCUMENTS_MAX);
  readonly #byHash = new Recent<string, KnownDocument>(KNOWN_DOCUMENTS_MAX);
  readonly #budget = new CompileBudget();

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly production: boolean,
    ownDocuments: readonly string[] = [],
  ) {
    for (const text of ownDocuments) {
      const document = this.#checked(text, null);
      if (!document) continue;
      this.#own.set(text, document);
      this.#ownByHash.set(document.hash, document);
    }
  }

  byText(text: string): KnownDocument | undefined {
    return this.#own.get(text) ?? this.#recent.get(text);
  }

  byHash(hash: string): KnownDocument | undefined {
    return this.#ownByHash.get(hash) ?? this.#byHash.get(hash);
  }

  /** Without running it. False for one that is not valid here. */
  teach(text: string): boolean {
    const checked = this.byText(text) ?? this.#checked(text, this.#budget);
    if (checked && !this.byText(text)) this.#remember(checked);
    return checked !== undefined;
  }

  /** The document must have passed every rule. */
  learn(text: string, document: DocumentNode): void {
    if (text.length > KNOWN_DOCUMENT_MAX_LENGTH || this.byText(text)) return;
    this.#remember(this.#known(text, document, this.#budget));
  }

  #remember(document: KnownDocument): void {
    this.#recent.set(document.text, document);
    this.#byHash.set(document.hash, document);
  }

  #checked(text: string, budget: CompileBudget | null): KnownDocument | undefined {
    const checked = checkedDocument(this.schema, text, this.production);
    return 'document' in checked ? this.#known(text, checked.document, budget) : undefined;
  }

  #known(text: string, document: DocumentNode, budget: CompileBudget | null): KnownDocument {
    const definitions = document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
    const operations = new Map<string | null, KnownOperation>();
    for (const definition of definitions) {
      if (definition.operation === 'subscription') continue;
      const operation = new KnownOperation(this.schema, document, definition, budget);
      if (definition.name) operations.set(definition.name.value, operation);
      if (definitions.length === 1) operations.set(null, operation);
    }
    return { text, hash: createHash('sha256').update(text).digest('hex'), operations };
  }
}
