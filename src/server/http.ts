import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, type FastifyServerOptions } from 'fastify';
import type { App } from '../app.js';
import type { Config } from '../config.js';
import type { ErrorCode } from '../domain/errors.js';
import type { ErrorEdge } from './errors.js';
import { answerHeaders, eachHeader, GRAPHQL_METHODS, JSON_TYPE, PREFLIGHT_HEADERS } from './headers.js';
import { logAnswered } from './http-answer.js';
import { HEADERS_TIMEOUT_MS, KEEP_ALIVE_TIMEOUT_MS, MESSAGE_MAX_BYTES, REQUEST_TIMEOUT_MS } from './limits.js';
import { isListedOrigin } from './origin.js';
import { inScope, newScope } from './request-scope.js';

declare module 'fastify' {
  interface FastifyReply {
    /** Code of what was refused before GraphQL saw it. */
    refusedWith: ErrorCode | null;
  }
}

const REQUEST_ID = /^[\w.:-]{1,64}$/;

/** Taken from the proxy in front, if it is one, so that its log and ours speak of the same request. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/** The HTTP server and what is true of every answer: its headers, its request id, and errors in GraphQL's shape. */
export async function createHttp(app: App, edge: ErrorEdge): Promise<FastifyInstance> {
  const { config, logger } = app;
  const options: FastifyServerOptions = {
    bodyLimit: MESSAGE_MAX_BYTES,
    trustProxy: (_address: string, hop: number) => hop < config.trustProxyHops,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    genReqId: requestIdOf,
    // What came in over a connection that was kept alive is answered too; the listener is closed already.
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => void sendError(edge, error, request as FastifyRequest, reply as FastifyReply),
    clientErrorHandler,
  };
  const http = fastify(options);
  http.decorateReply('refusedWith', null);
  http.server.headersTimeout = HEADERS_TIMEOUT_MS;
  http.removeContentTypeParser('text/plain');
  addHeaders(http, config);
  http.addHook('onResponse', async (request, reply) => {
    if (reply.refusedWith) app.metrics.operationAnswered({ type: 'invalid', field: 'invalid', code: reply.refusedWith });
    logAnswered(logger, { requestId: request.id, method: request.method, path: request.url.split('?')[0]!, status: reply.statusCode, ms: reply.elapsedTime, ahead: false });
  });
  http.setErrorHandler<FastifyError>((error, request, reply) => sendError(edge, error, request, reply));
  http.setNotFoundHandler((request, reply) => {
    if (!http.hasRoute({ method: 'POST', url: '/graphql' }) || request.url.split('?')[0] !== '/graphql') return send(reply, 404, 'NOT_FOUND', 'No such path; GraphQL is at /graphql.');
    return send(reply.header('allow', GRAPHQL_METHODS), 405, 'BAD_USER_INPUT', 'GraphQL takes GET for queries and POST for everything.');
  });
  return http;
}

function addHeaders(http: FastifyInstance, config: Config): void {
  http.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers;
    eachHeader(answerHeaders(config, request.id, origin), (name, value) => void reply.header(name, value));
    const asksFirst = request.method === 'OPTIONS' && origin !== undefined && isListedOrigin(origin, config) && request.headers['access-control-request-method'];
    if (!asksFirst) return;
    eachHeader(PREFLIGHT_HEADERS, (name, value) => void reply.header(name, value));
    return reply.code(204).send();
  });
}

const MESSAGES: Record<string, string> = {
  FST_ERR_CTP_BODY_TOO_LARGE: `A request has at most ${MESSAGE_MAX_BYTES} bytes.`,
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'Send the operation as application/json.',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The body is empty: send {"query": "…"}.',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not JSON.',
  FST_ERR_BAD_URL: 'The address is not a valid URL.',
};

function sendError(edge: ErrorEdge, error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) {
    const isJson = error instanceof SyntaxError || error.code === 'FST_ERR_CTP_INVALID_JSON_BODY';
    return send(reply, status, 'BAD_USER_INPUT', isJson ? MESSAGES['FST_ERR_CTP_INVALID_JSON_BODY']! : (MESSAGES[error.code] ?? 'The request is not valid.'));
  }
  const shown = inScope(newScope(request.id), () => edge.toClient(error));
  return reply.code(500).type(JSON_TYPE).send({ errors: [shown] });
}

function send(reply: FastifyReply, status: number, code: ErrorCode, message: string): FastifyReply {
  reply.refusedWith = code;
  // No hook has run where fastify could not even read the address.
  return reply.code(status).header('x-request-id', reply.request.id).type(JSON_TYPE).send(errorBody(code, message));
}

export const errorBody = (code: ErrorCode, message: string) => ({ errors: [{ message, extensions: { code } }] });

/** What is not even HTTP, or comes too slowly. */
function clientErrorHandler(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const tooSlow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const status = tooLarge ? '431 Request Header Fields Too Large' : tooSlow ? '408 Request Timeout' : '400 Bad Request';
  rejectSocket(socket, status, 'BAD_USER_INPUT', tooLarge ? 'The headers are too large.' : tooSlow ? 'The request came too slowly.' : 'Not a valid HTTP request.', randomUUID());
}

/** An answer on a connection that has no HTTP response object. */
export function rejectSocket(socket: Socket, status: string, code: ErrorCode, message: string, requestId: string, headers: Record<string, string> = {}): void {
  const body = JSON.stringify(errorBody(code, message));
  const head = { connection: 'close', 'content-type': JSON_TYPE, 'content-length': String(Buffer.byteLength(body)), 'x-request-id': requestId, ...headers };
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  // The other side may keep its half open for as long as it likes.
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n${body}`);
}
