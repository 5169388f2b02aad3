import { connect, type Socket } from 'node:net';
import { once } from 'node:events';

/** One HTTP connection that is kept alive, with one request at a time and no more work for an answer than reading it takes. */

export interface Answer {
  status: number;
  body: Buffer;
}

interface Head {
  status: number;
  /** Null: in chunks. */
  length: number | null;
  bodyAt: number;
}

/** All connections of the process are read into it, one read at a time: making one for each read would cost more than what is done with it. */
const INTO = Buffer.allocUnsafe(64 * 1024);

const END_OF_HEAD = '\r\n\r\n';
const LENGTH = /\r\ncontent-length: *(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding: *chunked/i;
const LAST_CHUNK = Buffer.from('\r\n0\r\n\r\n');

export class HttpConnection {
  #chunks: Buffer[] = [];
  #size = 0;
  #head: Head | null = null;
  #waiting: { resolve(answer: Answer): void; reject(error: Error): void } | null = null;

  private readonly socket: Socket;

  private constructor(port: number) {
    const callback = (length: number): true => {
      this.#take(Buffer.from(INTO.subarray(0, length)));
      return true;
    };
    const socket = (this.socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer: INTO, callback } }));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('connection closed')));
  }

  static async open(port: number): Promise<HttpConnection> {
    const connection = new HttpConnection(port);
    await once(connection.socket, 'connect');
    return connection;
  }

  send(request: Buffer | string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) return reject(new Error('connection closed'));
      this.#waiting = { resolve, reject };
      this.socket.write(request);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = null;
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#head && this.#head.length !== null && this.#size < this.#head.bodyAt + this.#head.length) return;
    const all = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    this.#chunks = [all];
    this.#head ??= headOf(all);
    if (!this.#head) return;
    const { status, length, bodyAt } = this.#head;
    if (length === null ? !all.subarray(bodyAt - 2).includes(LAST_CHUNK) : all.length < bodyAt + length) return;
    const body = length === null ? unchunked(all.subarray(bodyAt)) : all.subarray(bodyAt, bodyAt + length);
    this.#chunks = [];
    this.#size = 0;
    this.#head = null;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve({ status, body });
  }
}

function headOf(bytes: Buffer): Head | null {
  const end = bytes.indexOf(END_OF_HEAD);
  if (end < 0) return null;
  const text = bytes.toString('latin1', 0, end);
  const length = LENGTH.exec(text)?.[1];
  if (length === undefined && !CHUNKED.test(text)) throw new Error(`An answer of unknown length:\n${text}`);
  return { status: Number(text.slice(9, 12)), length: length === undefined ? null : Number(length), bodyAt: end + END_OF_HEAD.length };
}

function unchunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (!(size > 0)) return Buffer.concat(parts);
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}

export interface RequestOptions {
  accessToken?: string;
  queueToken?: string;
  path?: string;
}

/** The bytes of a request. */
export function requestOf(body: string, { accessToken, queueToken, path = '/graphql' }: RequestOptions = {}): string {
  const authorization = accessToken ? `authorization: Bearer ${accessToken}\r\n` : '';
  const queue = queueToken ? `x-queue-token: ${queueToken}\r\n` : '';
  return `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\naccept: application/json\r\n${authorization}${queue}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
