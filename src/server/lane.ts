import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { App } from '../app.js';
import type { AcceptedTypes } from './accepted-types.js';
import type { ErrorEdge } from './errors.js';
import { answerHeaders } from './headers.js';
import { inTime, logAnswered, refusedAnswer, resultAnswer, type HttpAnswer } from './http-answer.js';
import { requestIdOf } from './http.js';
import type { KnownOperations } from './known-operations.js';
import { hasPlainBody, readBody } from './request-body.js';
import { admitSender, contextOf, senderOf } from './request-context.js';
import { RequestReader, type KnownRequest } from './request-reader.js';
import { newScope } from './request-scope.js';

/**
 * Answers known operations ahead of Apollo, behind the same guards. Whatever is not plainly one of them goes on to the rest of the server as it came:
 * the lane decides nothing about it.
 */
export class Lane {
  readonly #reader: RequestReader;
  /** Of requests that go on after their body was read. */
  readonly #bodies = new WeakMap<IncomingMessage, Buffer>();
  readonly #logs: boolean;

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
        const known = this.#reader.read(body);
        if (known) return void this.#answer(request, response, known, type);
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

  async #answer(request: IncomingMessage, response: ServerResponse, known: KnownRequest, type: string): Promise<void> {
    const started = performance.now();
    const requestId = requestIdOf(request);
    const scope = newScope(requestId);
    scope.operation = known.operation.label;
    const answer = await inTime(this.app, scope, () => this.#run(request, requestId, known, type)).catch((error: unknown) => refusedAnswer(this.edge, error, type));
    this.#send(request, response, requestId, answer);
    const ms = performance.now() - started;
    this.app.metrics.operationAnswered({ ...scope.operation, code: scope.code }, ms / 1000);
    if (this.#logs) logAnswered(this.app.logger, { requestId, method: 'POST', path: '/graphql', status: answer.status, ms, ahead: true });
  }

  async #run(request: IncomingMessage, requestId: string, { operation, variables }: KnownRequest, type: string): Promise<HttpAnswer> {
    const sender = senderOf(this.app, request, requestId);
    let viewer;
    try {
      viewer = await admitSender(this.app, sender);
    } catch (refused) {
      return refusedAnswer(this.edge, refused, type);
    }
    const { errors } = operation.coerce(variables);
    const result = errors ? { errors } : await operation.run(variables, contextOf(this.app, sender, viewer));
    return resultAnswer(this.edge, result, request.headers.accept, type);
  }

  #send(request: IncomingMessage, response: ServerResponse, requestId: string, { status, headers, body }: HttpAnswer): void {
    const all = answerHeaders(this.app.config, requestId, request.headers.origin);
    all.push(...headers, 'cache-control', 'no-store', 'content-length', String(Buffer.byteLength(body)));
    // A connection that would be kept alive after its last answer would keep the process alive too.
    if (this.isDraining()) all.push('connection', 'close');
    response.writeHead(status, all);
    response.end(body);
  }
}
