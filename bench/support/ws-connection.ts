import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/** A websocket of a client that does no more than it must: short text frames out, whole frames in, pings answered. There may be 20,000 in one process. */

const UPGRADED = 'HTTP/1.1 101';
const [TEXT, CLOSE, PING, PONG] = [1, 8, 9, 10];
const MASK = Buffer.from([1, 2, 3, 4]);
/** All connections of the process are read into it, one read at a time: making a buffer for each would cost more than what is done with it. */
const INTO = Buffer.allocUnsafe(64 * 1024);

/**
 * Each connection comes from a port that was chosen here. The kernel looks for a free one among those in use and those just given up: among 10,000 that takes it
 * 0.2 ms, among 19,500 half a millisecond of the core that the client shares. Linux has all of 127.0.0.0/8.
 */
const [FIRST_PORT, PORTS, ADDRESSES] = [20_000, 10_000, 4];
let connections = 0;

function nextOrigin(): { localAddress: string; localPort: number } | undefined {
  if (process.platform !== 'linux') return undefined;
  const number = connections;
  connections += 1;
  return { localAddress: `127.0.0.${2 + (Math.floor(number / PORTS) % ADDRESSES)}`, localPort: FIRST_PORT + (number % PORTS) };
}

export interface WsHandlers {
  onOpen(connection: WsConnection): void;
  onText(connection: WsConnection, payload: Buffer): void;
  /** Also when it never opened. */
  onClose(connection: WsConnection, reason: string): void;
}

export class WsConnection {
  #socket: Socket;
  #isOpen = false;
  #rest: Buffer | null = null;
  #reason = 'the connection ended';

  constructor(
    readonly index: number,
    port: number,
    protocol: string | null,
    private readonly handlers: WsHandlers,
  ) {
    this.#socket = connect({ port, host: '127.0.0.1', ...nextOrigin(), noDelay: true, onread: { buffer: INTO, callback: (length) => this.#take(length) } });
    const offered = protocol ? `sec-websocket-protocol: ${protocol}\r\n` : '';
    this.#socket.write(
      `GET /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${randomBytes(16).toString('base64')}\r\n${offered}\r\n`,
    );
    this.#socket.on('error', (error) => (this.#reason = error.message));
    this.#socket.on('close', () => handlers.onClose(this, this.#reason));
  }

  send(text: string): void {
    this.#write(TEXT, Buffer.from(text));
  }

  /** Gone without a word, as a lost connection is. */
  drop(): void {
    this.#socket.destroy();
  }

  #write(opcode: number, payload: Buffer): void {
    const long = payload.length >= 126;
    const frame = Buffer.alloc((long ? 8 : 6) + payload.length);
    frame[0] = 0x80 | opcode;
    frame[1] = 0x80 | (long ? 126 : payload.length);
    if (long) frame.writeUInt16BE(payload.length, 2);
    const at = long ? 8 : 6;
    MASK.copy(frame, at - 4);
    for (let index = 0; index < payload.length; index += 1) frame[at + index] = payload[index]! ^ MASK[index & 3]!;
    this.#socket.write(frame);
  }

  /** What was read is written over by the next read. Answers that the next may come. */
  #take(length: number): true {
    if (this.#isOpen && !this.#rest) this.#frames(INTO, length);
    else this.#read(INTO.subarray(0, length));
    return true;
  }

  #read(chunk: Buffer): void {
    let bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#rest = null;
    if (!this.#isOpen) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) return void (this.#rest = Buffer.from(bytes));
      if (!bytes.toString('latin1', 0, end).startsWith(UPGRADED)) {
        this.#reason = bytes.toString('latin1', 0, 200);
        return void this.#socket.destroy();
      }
      this.#isOpen = true;
      bytes = bytes.subarray(end + 4);
      this.handlers.onOpen(this);
    }
    this.#frames(bytes, bytes.length);
  }

  #frames(bytes: Buffer, end: number): void {
    let at = 0;
    while (end - at >= 2) {
      const short = bytes[at + 1]! & 0x7f;
      const head = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (end - at < head) break;
      const length = short === 126 ? bytes.readUInt16BE(at + 2) : short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short;
      if (end - at < head + length) break;
      this.#frame(bytes[at]! & 0x0f, bytes.subarray(at + head, at + head + length));
      at += head + length;
    }
    if (at < end) this.#rest = Buffer.from(bytes.subarray(at, end));
  }

  #frame(opcode: number, payload: Buffer): void {
    if (opcode === TEXT) this.handlers.onText(this, payload);
    else if (opcode === PING) this.#write(PONG, payload);
    else if (opcode === CLOSE) this.#reason = `closed with ${payload.length >= 2 ? payload.readUInt16BE(0) : 'no code'} ${payload.toString('utf8', 2)}`;
  }
}
