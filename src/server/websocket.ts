import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import type { GraphQLSchema } from 'graphql';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { handleProtocols, type Server as GraphqlWs } from 'graphql-ws';
import type { App } from '../app.js';
import type { ErrorEdge } from './errors.js';
import { clientAddressOf } from './client-address.js';
import { writeText } from './event-socket.js';
import { createGraphqlWs, type SocketState } from './graphql-ws.js';
import { rejectSocket, requestIdOf } from './http.js';
import { MESSAGE_MAX_BYTES, SESSION_RECHECK_MS, SOCKET_BACKLOG_MAX_BYTES, SOCKET_PING_MS, UNACKNOWLEDGED_SOCKETS_MAX } from './limits.js';
import { mayOpenSocket } from './origin.js';
import { viewerOfToken } from './request-context.js';
import { inScope, newScope } from './request-scope.js';
import { CLOSE_BAD_REQUEST, CLOSE_FORBIDDEN, CLOSE_GOING_AWAY, CLOSE_SERVER_ERROR, SocketRegistry } from './socket-registry.js';

/** graphql-ws throws this for a type that only a server sends. */
const UNEXPECTED_TYPE = /^Unexpected message of type/;

/** Websockets at /graphql on the HTTP server's own port. */
export class SocketEdge {
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_MAX_BYTES, handleProtocols });
  readonly #registry = new SocketRegistry<SocketState>();
  readonly #graphqlWs: GraphqlWs<SocketState>;
  readonly #alive = new WeakSet<WebSocket>();
  readonly #timers: NodeJS.Timeout[];
  #unacknowledged = 0;
  #draining = false;
  #stopListening: () => void = () => undefined;

  constructor(
    private readonly app: App,
    schema: GraphQLSchema,
    edge: ErrorEdge,
  ) {
    this.#graphqlWs = createGraphqlWs(app, schema, edge, this.#registry);
    this.#sockets.on('wsClientError', (_error, socket, request) => {
      rejectSocket(socket as Socket, '400 Bad Request', 'BAD_USER_INPUT', 'Not a valid websocket handshake.', requestIdOf(request));
    });
    this.#timers = [setInterval(() => this.#pingAll(), SOCKET_PING_MS).unref(), setInterval(() => void this.recheckSessions(), SESSION_RECHECK_MS).unref()];
  }

  async attach(server: HttpServer): Promise<void> {
    // Clients that offer HTTP/2 over an unencrypted connection (Java's is one) ask for an upgrade with every request, and take a plain answer.
    Object.assign(server, { shouldUpgradeCallback: (request: IncomingMessage) => request.headers.upgrade?.toLowerCase() === 'websocket' });
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket as Socket, head));
    this.#stopListening = await this.app.services.sessions.onRevoked((sessionId) => this.#registry.closeSession(sessionId));
  }

  /** Asks every client to come back elsewhere; those that do not answer are cut off after the grace. */
  async close(graceMs: number): Promise<void> {
    this.#draining = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#stopListening();
    const clients = [...this.#sockets.clients];
    const closed = Promise.all(clients.map((client) => new Promise((resolve) => client.once('close', resolve))));
    for (const client of clients) client.close(CLOSE_GOING_AWAY, 'Going away');
    const cutOff = setTimeout(() => clients.forEach((client) => client.terminate()), graceMs);
    await closed;
    clearTimeout(cutOff);
  }

  /** One after the other: there is no hurry, and a store that is away decides nothing. */
  async recheckSessions(): Promise<void> {
    for (const socket of this.#registry.sockets()) {
      const viewer = await viewerOfToken(this.app, socket.accessToken).catch(() => undefined);
      if (viewer === null) socket.close(CLOSE_FORBIDDEN, 'Forbidden');
    }
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const requestId = requestIdOf(request);
    if (request.url?.split('?')[0] !== '/graphql') return rejectSocket(socket, '404 Not Found', 'NOT_FOUND', 'No such path; GraphQL is at /graphql.', requestId);
    if (!mayOpenSocket(request, this.app.config)) return rejectSocket(socket, '403 Forbidden', 'FORBIDDEN', 'Pages of this origin may not connect.', requestId);
    if (this.#draining || this.#unacknowledged >= UNACKNOWLEDGED_SOCKETS_MAX) {
      return rejectSocket(socket, '503 Service Unavailable', 'SERVICE_UNAVAILABLE', 'Too many sockets are just connecting.', requestId, { 'retry-after': '1' });
    }
    this.#unacknowledged += 1;
    const settle = once(() => (this.#unacknowledged -= 1));
    socket.once('close', settle);
    this.#sockets.handleUpgrade(request, socket, head, (client) => this.#open(client, socket, request, requestId, settle));
  }

  #open(client: WebSocket, socket: Socket, request: IncomingMessage, requestId: string, acknowledged: () => void): void {
    const state: SocketState = {
      requestId,
      address: clientAddressOf(request, this.app.config.trustProxyHops),
      accessToken: null,
      queueToken: null,
      running: new Map(),
      isOpen: () => client.readyState === client.OPEN,
      write: (text) => writeText(client, socket, text),
      close: (code, reason) => client.close(code, reason),
      acknowledged,
    };
    this.#alive.add(client);
    this.app.metrics.socketOpened();
    client.on('pong', () => this.#alive.add(client));
    // Too large a frame, bad UTF-8 and the like: ws has already sent the close that fits.
    client.on('error', (error) => this.app.logger.debug({ err: error, requestId }, 'websocket'));
    const closed = this.#graphqlWs.opened(
      { protocol: client.protocol, send: (data) => send(client, data), close: state.close, onMessage: (receive) => this.#receive(client, state, receive) },
      state,
    );
    client.once('close', (code, reason) => {
      this.app.metrics.socketClosed();
      this.#registry.remove(state);
      acknowledged();
      closed(code, String(reason)).catch((error: unknown) => this.app.logger.error({ err: error, requestId }, 'websocket clean-up'));
    });
  }

  #receive(client: WebSocket, state: SocketState, receive: (data: string) => Promise<void>): void {
    let messages = 0;
    client.on('message', (data: RawData, isBinary: boolean) => {
      if (client.readyState !== client.OPEN) return;
      if (isBinary) return client.close(CLOSE_BAD_REQUEST, 'Messages are text');
      messages += 1;
      inScope(newScope(`${state.requestId}.${messages}`), () => receive(String(data))).catch((error: unknown) => {
        if (error instanceof Error && UNEXPECTED_TYPE.test(error.message)) return client.close(CLOSE_BAD_REQUEST, 'Invalid message received');
        this.app.logger.error({ err: error, requestId: state.requestId }, 'websocket message');
        client.close(CLOSE_SERVER_ERROR, 'Something went wrong on our side');
      });
    });
  }

  #pingAll(): void {
    for (const client of this.#sockets.clients) {
      if (!this.#alive.delete(client)) client.terminate();
      else client.ping();
    }
  }
}

/** A subscription waits for its reader. One that reads nothing sees no ping either and is gone with the next; what piles up past all waiting ends it at once. */
async function send(client: WebSocket, data: string): Promise<void> {
  if (client.readyState !== client.OPEN) return;
  if (client.bufferedAmount > SOCKET_BACKLOG_MAX_BYTES) return client.terminate();
  await new Promise<void>((resolve) => client.send(data, () => resolve()));
}

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}
