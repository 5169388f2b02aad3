import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print, type DocumentNode } from 'graphql';
import pLimit, { type LimitFunction } from 'p-limit';
import { headersOf, type Credentials } from '../../test/support/client.js';
import type { History, Operation } from './history.js';
import type { Random } from './random.js';

/** Where a call goes: a FrontrowNode, or anything else with a name and an address. */
export interface Target {
  readonly name: string;
  readonly url: string;
}

export type Reply<Value> =
  | { outcome: 'ok'; value: Value; operation: Operation }
  /** A definite no: nothing was done. */
  | { outcome: 'fail'; code: string; refusal: unknown; operation: Operation }
  /** It may have been done, or may still be. */
  | { outcome: 'unknown'; code: string; operation: Operation };

export interface Call<Data, Variables, Value> {
  process: string;
  name: string;
  key?: string;
  args?: Record<string, unknown>;
  document: TypedDocumentNode<Data, Variables>;
  variables: Variables;
  credentials: Credentials;
  read(data: Data): Value;
  /** Of a union: the member that is no refusal. */
  succeeds?: string;
  /** What the history keeps of the value; all of it unless told. */
  keep?(value: Value): unknown;
}

export interface ClientOptions {
  history: History;
  targets: readonly Target[];
  random: Random;
  /** Ends waits and retries. */
  signal: AbortSignal;
  /** Somewhat above the deadline that Frontrow keeps. */
  timeoutMs?: number;
  /** Calls under way at once; further ones wait and are not invoked yet. */
  concurrencyMax?: number;
}

const TIMEOUT_MS = 6500;
const CONCURRENCY_MAX = 400;
const KNOWN_WITHIN_MS = 90_000;
const PAUSE_MIN_MS = 20;
const PAUSE_MAX_MS = 500;
/** Codes behind which a commit may hide. */
const INDEFINITE = new Set(['SERVICE_UNAVAILABLE', 'INTERNAL_SERVER_ERROR']);
const NO_CODE = 'an error without a code';
const NO_ANSWER = 'neither data nor errors';
/** Of a proxy whose upstream is gone. */
const OF_A_PROXY = new Set(['HTTP 502', 'HTTP 503', 'HTTP 504']);

/** What only a mistake of the server's own answers; whether there is a commit behind it is unknown all the same. */
export const isServerFault = (code: string): boolean =>
  code === 'INTERNAL_SERVER_ERROR' || code === NO_CODE || code === NO_ANSWER || (code.startsWith('HTTP ') && !OF_A_PROXY.has(code));

interface Body {
  data?: Record<string, unknown> | null;
  errors?: { extensions?: { code?: string } }[];
}

/** Real HTTP with keep-alive; every call is in the history, and an answer that is not definite is unknown, never a fail. */
export class DrillClient {
  readonly targets: readonly Target[];
  readonly #history: History;
  readonly #random: Random;
  readonly #signal: AbortSignal;
  readonly #timeoutMs: number;
  readonly #limit: LimitFunction;
  readonly #agent = new Agent({ keepAlive: true, scheduling: 'lifo' });

  constructor({ history, targets, random, signal, timeoutMs = TIMEOUT_MS, concurrencyMax = CONCURRENCY_MAX }: ClientOptions) {
    this.targets = targets;
    this.#history = history;
    this.#random = random;
    this.#signal = signal;
    this.#timeoutMs = timeoutMs;
    this.#limit = pLimit(concurrencyMax);
  }

  close(): void {
    this.#agent.destroy();
  }

  anyTarget(): Target {
    return this.#random.pick(this.targets);
  }

  /** One attempt at one process. */
  call<Data, Variables, Value>(call: Call<Data, Variables, Value>, via: Target = this.anyTarget()): Promise<Reply<Value>> {
    return this.#limit(async () => {
      this.#signal.throwIfAborted();
      const { process, name, key = '', args = {} } = call;
      const operation = this.#history.invoke({ process, node: via.name, name, key, args });
      const answer = await this.#send(via, JSON.stringify({ query: textOf(call.document), variables: call.variables }), call.credentials);
      return this.#judge(call, operation, answer);
    });
  }

  /** Repeats a call, each time at another process, until its outcome is known; what is unknown for too long stays so. */
  async untilKnown<Value>(attempt: (via: Target) => Promise<Reply<Value>>, withinMs = KNOWN_WITHIN_MS): Promise<Reply<Value>> {
    const endsAt = performance.now() + withinMs;
    const first = this.#random.below(this.targets.length);
    for (let turn = 0; ; turn += 1) {
      const reply = await attempt(this.targets[(first + turn) % this.targets.length]!);
      if (reply.outcome !== 'unknown' || performance.now() > endsAt) return reply;
      await this.pause(Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** turn));
    }
  }

  /** About so long, as people wait before they try again. */
  async pause(ms: number): Promise<void> {
    await delay(ms * (0.5 + this.#random.next() / 2), undefined, { signal: this.#signal });
  }

  #judge<Data, Variables, Value>(call: Call<Data, Variables, Value>, operation: Operation, answer: Body | string): Reply<Value> {
    const unknown = (code: string): Reply<Value> => {
      this.#history.unknown(operation, code);
      return { outcome: 'unknown', code, operation };
    };
    if (typeof answer === 'string') return unknown(answer);
    const error = answer.errors?.[0];
    if (error) {
      const code = error.extensions?.code ?? NO_CODE;
      if (INDEFINITE.has(code) || !error.extensions?.code) return unknown(code);
      this.#history.fail(operation, code);
      return { outcome: 'fail', code, refusal: null, operation };
    }
    if (!answer.data) return unknown(NO_ANSWER);
    const value = call.read(answer.data as Data);
    const member = (value as { __typename?: string } | null)?.__typename;
    if (call.succeeds && member !== call.succeeds) {
      const { message: _, ...refusal } = value as Record<string, unknown>;
      this.#history.fail(operation, String(member), refusal);
      return { outcome: 'fail', code: String(member), refusal, operation };
    }
    this.#history.ok(operation, call.keep ? call.keep(value) : value);
    return { outcome: 'ok', value, operation };
  }

  /** The body of the answer, or what came instead of one. */
  #send(via: Target, body: string, credentials: Credentials): Promise<Body | string> {
    const { promise, resolve } = Promise.withResolvers<Body | string>();
    const outgoing = request(`${via.url}/graphql`, {
      method: 'POST',
      agent: this.#agent,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headersOf(credentials) },
    });
    const give = (answer: Body | string): void => {
      clearTimeout(timer);
      resolve(answer);
    };
    const timer = setTimeout(() => {
      give('TIMEOUT');
      outgoing.destroy();
    }, this.#timeoutMs);
    outgoing.on('error', (error: NodeJS.ErrnoException) => give(error.code ?? error.message));
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', (error: NodeJS.ErrnoException) => give(error.code ?? error.message));
      incoming.on('close', () => give(incoming.complete ? bodyOf(incoming.statusCode ?? 0, chunks) : 'CUT_OFF'));
    });
    outgoing.end(body);
    return promise;
  }
}

function bodyOf(status: number, chunks: Buffer[]): Body | string {
  try {
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Body;
    return body.errors || (body.data && status < 500) ? body : `HTTP ${status}`;
  } catch {
    return `HTTP ${status}`;
  }
}

const texts = new WeakMap<DocumentNode, string>();

function textOf(document: DocumentNode): string {
  let text = texts.get(document);
  if (text === undefined) texts.set(document, (text = print(document)));
  return text;
}
