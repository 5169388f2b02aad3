import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { ExecutionResult } from 'graphql';
import type { App } from '../app.js';
import type { Context } from '../context.js';
import { serviceUnavailable } from '../domain/errors.js';
import { ReadSet } from '../domain/read-set.js';
import type { AcceptedTypes } from './accepted-types.js';
import type { ErrorEdge } from './errors.js';
import { answerHeaders, JSON_TYPE } from './headers.js';
import { inTime, logAnswered, refusedAnswer, resultAnswer, type HttpAnswer } from './http-answer.js';
import { requestIdOf } from './http.js';
import type { KnownOperation } from './known-operation.js';
import type { KnownOperations } from './known-operations.js';
import type { KnownRequest } from './known-request.js';
import { GIVEN_UP_AFTER_MS } from './limits.js';
import { hasPlainBody, readBody } from './request-body.js';
import { admitSender, contextOf, senderOf, type Sender } from './request-context.js';
import { RequestReader } from './request-reader.js';
import { inScope, newScope } from './request-scope.js';
import type { SharedAnswer } from './shared-answers.js';
import { Turns } from './turns.js';

/** One request in the lane. */
interface Arrived {
  request: IncomingMessage;
  response: ServerResponse;
  known: KnownRequest;
  /** Of the answer. */
  type: string;
  /** When it came, by performance.now(): its wait counts. */
  started: number;
}

/** One that has begun. */
interface Passing extends Arrived {
  sender: Sender;
}

/** What the guards have said of its sender so far. */
interface Admitted {
  context: Context;
  /** Those of its fields; only where its answer may be shared. */
  passed: boolean | Promise<boolean>;
}

/**
 * Answers known operations ahead of Apollo, behind the same guards. Whatever is not plainly one of them goes on to the rest of the server as it came:
 * the lane decides nothing about it.
 */
export class Lane {
  readonly #reader: RequestReader;
  /** Of requests that go on after their body was read. */
  readonly #bodies = new WeakMap<IncomingMessage, Buffer>();
  readonly #counters = new WeakMap<KnownOperation, (code: string, seconds: number) => void>();
  readonly #logs: boolean;
  readonly #turns = new Turns();

  constructor(
    private readonly app: App,
    private readonly edge: ErrorEdge,
    private readonly accepted: AcceptedTypes,
    known: KnownOperations,
    private readonly isDraining: () => boolean,
  ) {
    this.#reader = new RequestReader(known);
    this.#logs = app.logger.isLevelEnabled('debug');
  }

  /** A listener in front of another. */
  before(other: RequestListener): RequestListener {
    return (request, response) => {
      const type = hasPlainBody(request) ? this.accepted.typeFor(request.headers.accept) : undefined;
      if (type === undefined) return other(request, response);
      readBody(request, (body) => {
        if (this.#takes(request, response, type, body)) return;
        this.#bodies.set(request, body);
        other(request, response);
      });
    };
  }

  /** The body of a request that went on, once more. */
  bodyOf(request: IncomingMessage): Readable | undefined {
    const body = this.#bodies.get(request);
    return body && Readable.from([body]);
  }

  /** False for what is not plainly a known operation. A fault of ours costs one answer, never the process. */
  #takes(request: IncomingMessage, response: ServerResponse, type: string, body: Buffer): boolean {
    try {
      const known = this.#reader.read(body);
      if (!known) return false;
      const arrived: Arrived = { request, response, known, type, started: performance.now() };
      // What may be answered at once waits for nobody.
      if (known.shared) this.#begin(arrived);
      else if (!this.#turns.take(() => this.#begin(arrived))) this.#turnAway(this.#passing(arrived));
    } catch (error) {
      this.#fail(request, response, error);
    }
    return true;
  }

  /** False for who has gone meanwhile, or has waited so long that nothing is to be begun any more. */
  #begin(arrived: Arrived): boolean {
    const { request, response, started } = arrived;
    if (request.socket.destroyed) return false;
    try {
      const isInTime = performance.now() < started + GIVEN_UP_AFTER_MS;
      if (isInTime) this.#answer(this.#passing(arrived));
      else this.#turnAway(this.#passing(arrived));
      return isInTime;
    } catch (error) {
      this.#fail(request, response, error);
      return true;
    }
  }

  #passing(arrived: Arrived): Passing {
    const { request } = arrived;
    return { ...arrived, sender: senderOf(this.app, request, requestIdOf(request)) };
  }

  /** Nothing of it has happened. */
  #turnAway(passing: Passing): void {
    const scope = newScope(passing.sender.requestId, passing.known.operation.label);
    const answer = inScope(scope, () => refusedAnswer(this.edge, serviceUnavailable(), passing.type));
    this.#send(passing, answer, scope.code);
  }

  /** At once where everything that it needs is remembered. */
  #answer(passing: Passing): void {
    const { known, sender, type } = passing;
    const viewer = known.shared ? this.app.services.senders.admitRemembered(sender) : undefined;
    if (viewer === undefined) return this.#run(passing, null);
    const context = contextOf(this.app, sender, viewer);
    const passed = passesGuards(known, context);
    const body = passed === true ? known.shared?.current() : undefined;
    if (body) this.#send(passing, { status: 200, headers: ['content-type', type], body }, 'OK');
    else this.#run(passing, { context, passed });
  }

  #run(passing: Passing, admitted: Admitted | null): void {
    const scope = newScope(passing.sender.requestId, passing.known.operation.label, passing.started);
    const fail = (error: unknown): void => this.#fail(passing.request, passing.response, error);
    const send = (answer: HttpAnswer): void => {
      try {
        this.#send(passing, answer, scope.code);
      } catch (error) {
        fail(error);
      }
    };
    inTime(this.app, scope, () => this.#answerOf(passing, admitted), send, fail);
  }

  async #answerOf({ request, known, sender, type }: Passing, admitted: Admitted | null): Promise<HttpAnswer> {
    try {
      const context = admitted?.context ?? contextOf(this.app, sender, await admitSender(this.app, sender));
      if (known.errors) return resultAnswer(this.edge, known, request.headers.accept, type);
      const result = known.shared && (await (admitted?.passed ?? passesGuards(known, context))) ? await this.#sharedResult(known, known.shared, context) : await known.operation.run(known.variables, context);
      if (Buffer.isBuffer(result)) return { status: 200, headers: ['content-type', type], body: result };
      return resultAnswer(this.edge, result, request.headers.accept, type);
    } catch (error) {
      return refusedAnswer(this.edge, error, type);
    }
  }

  async #sharedResult(known: KnownRequest, shared: SharedAnswer, context: Context): Promise<ExecutionResult | Buffer> {
    const { operation, variables } = known;
    let own: ExecutionResult | undefined;
    const body = await shared.shared(async () => {
      const reads = operation.sharedRoot!.isStatic ? null : (context.reads = new ReadSet());
      this.app.metrics.sharedAnswerMade(operation.label.field);
      const rows = await known.writeRows(context);
      if (rows) return { ...rows, reads };
      own = await operation.run(variables, context);
      return own.errors ? null : { body: Buffer.from(JSON.stringify({ data: own.data })), reads };
    });
    return body ?? own ?? operation.run(variables, context);
  }

  /** Where answering itself has failed: with as little as can be done, and the connection is not used again. */
  #fail(request: IncomingMessage, response: ServerResponse, fault: unknown): void {
    const requestId = requestIdOf(request);
    const { status, headers, body } = inScope(newScope(requestId), () => refusedAnswer(this.edge, fault, JSON_TYPE));
    if (response.writableEnded) return;
    if (response.headersSent) return void response.destroy();
    response.writeHead(status, [...answerHeaders(this.app.config, requestId, request.headers.origin), ...headers, 'cache-control', 'no-store', 'connection', 'close']);
    response.end(body);
  }

  #countersOf(operation: KnownOperation): (code: string, seconds: number) => void {
    let counters = this.#counters.get(operation);
    if (!counters) this.#counters.set(operation, (counters = this.app.metrics.operationsOf(operation.label.type, operation.label.field)));
    return counters;
  }

  #send({ request, response, known, sender, started }: Passing, { status, headers, body }: HttpAnswer, code: string): void {
    const all = answerHeaders(this.app.config, sender.requestId, request.headers.origin);
    all.push(...headers, 'cache-control', 'no-store', 'content-length', String(Buffer.byteLength(body)));
    // A connection that would be kept alive after its last answer would keep the process alive too.
    if (this.isDraining()) all.push('connection', 'close');
    response.writeHead(status, all);
    response.end(body);
    const ms = performance.now() - started;
    this.#countersOf(known.operation)(code, ms / 1000);
    if (this.#logs) logAnswered(this.app.logger, { requestId: sender.requestId, method: 'POST', path: '/graphql', status, ms, ahead: true });
  }
}

/** Where it does not, the operation itself says why. */
function passesGuards(known: KnownRequest, context: Context): boolean | Promise<boolean> {
  try {
    return known.passGuards(context)?.then(() => true, () => false) ?? true;
  } catch {
    return false;
  }
}
