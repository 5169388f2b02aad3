import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import type { GraphQLSchema } from 'graphql';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { handleProtocols, type Server as GraphqlWs } from 'graphql-ws';
import type { App } from '../app.js';
import type { ErrorEdge } from './errors.js';
import { clientAddressOf } from './client-address.js';
import { createGraphqlWs } from './graphql-ws.js';
import { rejectSocket, requestIdOf } from './http.js';
import { MESSAGE_MAX_BYTES, SESSION_RECHECK_MS, SOCKET_PING_MS, UNACKNOWLEDGED_SOCKETS_MAX } from './limits.js';
import { mayOpenSocket } from './origin.js';
import { viewerOfToken } from './request-context.js';
import { inScope, newScope } from './request-scope.js';
import { ServedSocket } from './served-socket.js';
import { CLOSE_BAD_REQUEST, CLOSE_FORBIDDEN, CLOSE_GOING_AWAY, CLOSE_SERVER_ERROR, SocketRegistry } from './socket-registry.js';

/** graphql-ws throws this for a type that only a server sends. */
const UNEXPECTED_TYPE = /^Unexpected message of type/;
/** Each socket is asked for a sign of life in one of so many turns: thousands of pings and their answers at once would keep everybody waiting. */
export const PING_TURNS = 12;
/** So much longer than its access token a socket may last. */
const EXPIRY_LOOK_MS = 250;

/** Websockets at /graphql on the HTTP server's own port. */
export class SocketEdge {
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_MAX_BYTES, handleProtocols });
  readonly #registry = new SocketRegistry<ServedSocket>();
  readonly #graphqlWs: GraphqlWs<ServedSocket>;
  readonly #served = new Set<ServedSocket>();
  #opened = 0;
  #pingTurn = 0;
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
    const every = (ms: number, work: () => void): NodeJS.Timeout => setInterval(work, ms).unref();
    this.#timers = [
      every(SOCKET_PING_MS / PING_TURNS, () => this.pingSome()),
      every(EXPIRY_LOOK_MS, () => this.#registry.closeExpired()),
      every(SESSION_RECHECK_MS, () => void this.recheckSessions()),
    ];
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
    const settle = this.#countUnacknowledged();
    socket.once('close', settle);
    const address = clientAddressOf(request, this.app.config.trustProxyHops);
    this.#sockets.handleUpgrade(request, socket, head, (client) => this.#open(client, socket, requestId, address, settle));
  }

  /** Answers how to count it no more. A function of its own, so that nothing keeps the request. */
  #countUnacknowledged(): () => void {
    this.#unacknowledged += 1;
    return once(() => (this.#unacknowledged -= 1));
  }

  #open(client: WebSocket, socket: Socket, requestId: string, address: string, acknowledged: () => void): void {
    this.#opened += 1;
    const served = new ServedSocket(client, socket, requestId, address, this.#opened % PING_TURNS, acknowledged, this.#receive);
    this.#served.add(served);
    this.app.metrics.socketOpened();
    // Too large a frame, bad UTF-8 and the like: ws has already sent the close that fits.
    client.on('error', (error) => this.app.logger.debug({ err: error, requestId }, 'websocket'));
    const closed = this.#graphqlWs.opened(served, served);
    client.once('close', (code, reason) => {
      this.app.metrics.socketClosed();
      this.#served.delete(served);
      this.#registry.remove(served);
      acknowledged();
      closed(code, String(reason)).catch((error: unknown) => this.app.logger.error({ err: error, requestId }, 'websocket clean-up'));
    });
  }

  readonly #receive = (socket: ServedSocket, data: RawData, isBinary: boolean, receive: (text: string) => Promise<void>): void => {
    if (isBinary) return socket.close(CLOSE_BAD_REQUEST, 'Messages are text');
    received(socket, String(data), receive).catch((error: unknown) => {
      if (error instanceof Error && UNEXPECTED_TYPE.test(error.message)) return socket.close(CLOSE_BAD_REQUEST, 'Invalid message received');
      this.app.logger.error({ err: error, requestId: socket.requestId }, 'websocket message');
      socket.close(CLOSE_SERVER_ERROR, 'Something went wrong on our side');
    });
  };

  /** Whoever has not answered since the turn before is gone, or reads nothing. */
  pingSome(): void {
    this.#pingTurn = (this.#pingTurn + 1) % PING_TURNS;
    for (const served of this.#served) if (served.pingTurn === this.#pingTurn) served.ping();
  }
}

/** A function of its own: what waits for the end of a subscription must not keep the memory that its message was read into. */
function received(socket: ServedSocket, text: string, receive: (text: string) => Promise<void>): Promise<void> {
  const message = messageOf(text);
  return inScope(newScope(`${socket.requestId}.${socket.messages}`), () => receive(message));
}

/** graphql-ws takes a message as it is, too, and keeps what it is given: rather that than the text as well. What is no message it is told as text, and says so. */
function messageOf(text: string): string {
  try {
    const message = JSON.parse(text) as object | null;
    return typeof message === 'object' && message !== null ? (message as unknown as string) : text;
  } catch {
    return text;
  }
}

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}
