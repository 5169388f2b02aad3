import type { IncomingHttpHeaders } from 'node:http';
import WebSocket, { type ClientOptions } from 'ws';

/** A websocket that says exactly what a test wants it to say, and waits for what comes back. */
export interface RawSocket {
  send(message: unknown): void;
  sendRaw(data: string | Buffer): void;
  /** The next message, in order. */
  next(): Promise<any>;
  /** Sends connection_init and waits for the ack. */
  init(payload?: unknown): Promise<any>;
  closed: Promise<{ code: number; reason: string }>;
  close(): void;
  socket: WebSocket;
}

export interface RawOptions extends ClientOptions {
  path?: string;
  subprotocol?: string | undefined;
}

export async function openSocket(url: string, { path = '/graphql', subprotocol = 'graphql-transport-ws', ...options }: RawOptions = {}): Promise<RawSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, subprotocol ? [subprotocol] : [], options);
  const messages: unknown[] = [];
  const waiting: ((message: unknown) => void)[] = [];
  socket.on('message', (data) => {
    const message: unknown = JSON.parse(String(data));
    const reader = waiting.shift();
    if (reader) reader(message);
    else messages.push(message);
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => socket.on('close', (code, reason) => resolve({ code, reason: String(reason) })));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.on('error', () => undefined);
  const raw: RawSocket = {
    socket,
    closed,
    send: (message) => socket.send(JSON.stringify(message)),
    sendRaw: (data) => socket.send(data),
    next: () => (messages.length > 0 ? Promise.resolve(messages.shift()) : new Promise((resolve) => waiting.push(resolve))),
    init: (payload) => {
      raw.send({ type: 'connection_init', ...(payload === undefined ? {} : { payload }) });
      return Promise.race([raw.next(), closed]);
    },
    close: () => socket.close(),
  };
  return raw;
}

/** Status and body of the answer to a handshake that was refused. */
export function refusedHandshake(url: string, { path = '/graphql', ...options }: RawOptions = {}): Promise<{ status: number; body: { errors: { message: string; extensions: { code: string } }[] }; headers: IncomingHttpHeaders }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, ['graphql-transport-ws'], options);
    socket.on('open', () => reject(new Error('The socket opened.')));
    socket.on('error', reject);
    socket.on('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode!, body: JSON.parse(Buffer.concat(chunks).toString()), headers: response.headers }));
    });
  });
}

/** One operation over a websocket of its own, until it completes or fails: the messages that came. */
export async function overSocket(url: string, query: string, variables: unknown = {}, init: unknown = {}): Promise<any[]> {
  const raw = await openSocket(url);
  await raw.init(init);
  raw.send({ type: 'subscribe', id: '1', payload: { query, variables } });
  const messages: Awaited<ReturnType<RawSocket['next']>>[] = [];
  for (;;) {
    const message = await raw.next();
    messages.push(message);
    if (message.type === 'complete' || message.type === 'error') break;
  }
  raw.close();
  return messages;
}

/** Errors of an operation over a websocket, as HTTP would list them: those of its first message. */
export async function socketErrors(url: string, query: string, variables: unknown = {}, init: unknown = {}): Promise<any[]> {
  const raw = await openSocket(url);
  await raw.init(init);
  raw.send({ type: 'subscribe', id: '1', payload: { query, variables } });
  const first = await raw.next();
  raw.close();
  return first.type === 'error' ? first.payload : first.payload.errors;
}
