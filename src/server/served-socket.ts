import type { Socket } from 'node:net';
import type { WebSocket as GraphqlSocket } from 'graphql-ws';
import type { RawData, WebSocket } from 'ws';
import { writeText } from './event-socket.js';
import type { SocketState } from './graphql-ws.js';
import { SOCKET_BACKLOG_MAX_BYTES } from './limits.js';

type Receive = (socket: ServedSocket, data: RawData, isBinary: boolean, receive: (text: string) => Promise<void>) => void;

/** One websocket of this process. There may be 20,000 of them, so that each keeps little: above all not the request that it began as. */
export class ServedSocket implements SocketState, GraphqlSocket {
  accessToken: string | null = null;
  queueToken: string | null = null;
  running: SocketState['running'] = [];
  /** Messages that it has sent. */
  messages = 0;
  #isAlive = true;

  constructor(
    private readonly client: WebSocket,
    private readonly socket: Socket,
    readonly requestId: string,
    readonly address: string,
    readonly pingTurn: number,
    readonly acknowledged: () => void,
    private readonly receive: Receive,
  ) {
    client.on('pong', () => (this.#isAlive = true));
  }

  get protocol(): string {
    return this.client.protocol;
  }

  isOpen(): boolean {
    return this.client.readyState === this.client.OPEN;
  }

  close(code: number, reason: string): void {
    this.client.close(code, reason);
  }

  onMessage(receive: (text: string) => Promise<void>): void {
    this.client.on('message', (data: RawData, isBinary: boolean) => {
      if (!this.isOpen()) return;
      this.messages += 1;
      this.receive(this, data, isBinary, receive);
    });
  }

  /** The promise of one that reads slowly: nothing more is to be written before. What piles up past all waiting ends it at once. */
  write(text: string, isAscii = false): Promise<void> | undefined {
    if (!this.isOpen()) return undefined;
    if (this.socket.writableLength > SOCKET_BACKLOG_MAX_BYTES) return void this.client.terminate();
    return writeText(this.socket, text, isAscii);
  }

  async send(text: string): Promise<void> {
    await this.write(text);
  }

  /** One that reads nothing sees no ping, and is gone with the next. */
  ping(): void {
    if (!this.#isAlive) return this.client.terminate();
    this.#isAlive = false;
    if (this.isOpen()) this.client.ping();
  }
}
