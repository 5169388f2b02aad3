import { Recent } from '../domain/recent.js';
import type { KnownDocument, KnownOperations } from './known-operations.js';
import { KnownRequest } from './known-request.js';
import { SharedAnswers } from './shared-answers.js';

/** Bodies of queries whose meaning is remembered, and how long they may be: together at most 4.4 MB. */
export const KNOWN_BODIES_MAX = 2000;
export const KNOWN_BODY_MAX_BYTES = 2048;
/** Changes that everybody asks for in the same words: a place in the same line, the same seat. Of these fewer are remembered: most are asked for once, and must not drive out the others. */
const ASKED_BY_CROWDS: ReadonlySet<string> = new Set(['joinQueue', 'reserve']);
const KNOWN_CROWDS_MAX = 200;

/** Of these Apollo's side has its own opinion: it refuses keys that poison prototypes, however they are written. */
const DOUBTFUL = /__proto__|constructor|\\u/;

/** Finds out what a body asks for. Null for whatever is not plainly a known operation: Apollo decides about that. */
export class RequestReader {
  readonly #bodies = new Recent<string, KnownRequest>(KNOWN_BODIES_MAX);
  readonly #crowds = new Recent<string, KnownRequest>(KNOWN_CROWDS_MAX);
  readonly #answers = new SharedAnswers();

  constructor(private readonly known: KnownOperations) {}

  read(body: Buffer): KnownRequest | null {
    if (body.length > KNOWN_BODY_MAX_BYTES) return this.#parse(body);
    const bytes = body.toString('latin1');
    const seen = this.#bodies.get(bytes) ?? this.#crowds.get(bytes);
    if (seen) return seen;
    const request = this.#parse(body);
    if (request) this.#memoryFor(request)?.set(bytes, request);
    return request;
  }

  /** What changes something is seldom asked for twice in the same words; and a password is nothing to remember. */
  #memoryFor({ operation }: KnownRequest): Recent<string, KnownRequest> | undefined {
    if (operation.isQuery) return this.#bodies;
    return ASKED_BY_CROWDS.has(operation.label.field) ? this.#crowds : undefined;
  }

  #parse(body: Buffer): KnownRequest | null {
    const text = body.toString('utf8');
    if (DOUBTFUL.test(text)) return null;
    const message = parsed(text);
    if (!isObject(message)) return null;
    const { query, operationName = null, variables = null, extensions = null } = message;
    if (operationName !== null && typeof operationName !== 'string') return null;
    if (!(variables === null || isObject(variables)) || !(extensions === null || isObject(extensions))) return null;
    const operation = this.#documentOf(query, extensions)?.operations.get(operationName);
    return operation ? new KnownRequest(operation, variables ?? {}, this.#answers) : null;
  }

  #documentOf(query: unknown, extensions: Record<string, unknown> | null): KnownDocument | undefined {
    const persisted = extensions?.['persistedQuery'];
    const byText = typeof query === 'string' ? this.known.byText(query) : undefined;
    if (persisted === undefined || persisted === null) return byText;
    if (!isObject(persisted) || persisted['version'] !== 1 || typeof persisted['sha256Hash'] !== 'string') return undefined;
    if (query === undefined) return this.known.byHash(persisted['sha256Hash']);
    return byText?.hash === persisted['sha256Hash'] ? byText : undefined;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
