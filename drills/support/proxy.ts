import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What happens to what goes over a proxy. A change takes effect on connections that are open, too. */
export type ProxyMode =
  /** Everything goes through. */
  | { kind: 'pass' }
  /** Connections are taken and stay open; nothing comes through in either direction. */
  | { kind: 'blackHole' }
  /** Every connection is reset, open ones and new ones. */
  | { kind: 'reset' }
  /** Requests arrive, their answers are lost. */
  | { kind: 'dropReplies' }
  /** Both directions are late by so much, in order. */
  | { kind: 'delay'; ms: number };

/** A unix socket, or a TCP port of this machine. */
export type Upstream = { path: string } | { port: number };

/** A way to a server over TCP on 127.0.0.1, whose port stays while its upstream may change, and that can be made to fail like a network. */
export interface Proxy {
  readonly port: number;
  mode(mode: ProxyMode): void;
  /** Where new connections lead; null: they are reset. */
  to(upstream: Upstream | null): void;
  /** How many are open. */
  connections(): number;
  close(): Promise<void>;
}

export async function startProxy(upstream: Upstream | null): Promise<Proxy> {
  const proxy = new TcpProxy(upstream);
  await proxy.listen();
  return proxy;
}

class TcpProxy implements Proxy {
  readonly #server: Server;
  readonly #open = new Set<Connection>();
  #mode: ProxyMode = { kind: 'pass' };
  #upstream: Upstream | null;

  constructor(upstream: Upstream | null) {
    this.#upstream = upstream;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  mode(mode: ProxyMode): void {
    this.#mode = mode;
    for (const connection of this.#open) connection.mode(mode);
  }

  to(upstream: Upstream | null): void {
    this.#upstream = upstream;
  }

  connections(): number {
    return this.#open.size;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const connection of this.#open) connection.reset();
    await closed;
  }

  #accept(client: Socket): void {
    if (this.#mode.kind === 'reset' || !this.#upstream) {
      resetSocket(client.on('error', () => undefined));
      return;
    }
    const connection = new Connection(client, this.#upstream, this.#mode, () => this.#open.delete(connection));
    this.#open.add(connection);
  }
}

/** With its end under way it cannot be reset any more: the attempt would leave it open. */
const resetSocket = (socket: Socket): unknown => (socket.writableEnded ? socket.destroy() : socket.resetAndDestroy());

/**
 * A client's connection and the one that goes on from it. One that has lost bytes is reset as soon as it is told to carry on: TCP never delivers a stream with a hole,
 * and a client that reads the answer to its second question as that to its first has met a fault that no network has.
 */
class Connection {
  readonly #client: Socket;
  /** Not there for one that was opened into a black hole. */
  readonly #upstream: Socket | null;
  readonly #lanes: Lane[] = [];
  #lost = false;

  constructor(client: Socket, upstream: Upstream, mode: ProxyMode, closed: () => void) {
    this.#client = client;
    this.#upstream = mode.kind === 'blackHole' ? null : connect({ ...upstream, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const sides = this.#upstream ? [client, this.#upstream] : [client];
    let open = sides.length;
    for (const side of sides) {
      side.on('error', () => undefined).on('close', () => {
        if ((open -= 1) === 0) closed();
        else this.#end(side);
      });
    }
    const lose = (): void => void (this.#lost = true);
    if (!this.#upstream) {
      lose();
      client.resume();
      return;
    }
    this.#lanes = [new Lane(client, this.#upstream, lose, ['blackHole']), new Lane(this.#upstream, client, lose, ['blackHole', 'dropReplies'])];
    this.mode(mode);
  }

  mode(mode: ProxyMode): void {
    const carriesOn = mode.kind === 'pass' || mode.kind === 'delay';
    if (mode.kind === 'reset' || (carriesOn && this.#lost)) return this.reset();
    for (const lane of this.#lanes) lane.mode(mode);
  }

  reset(): void {
    resetSocket(this.#client);
    this.#upstream?.destroy();
  }

  /** One side is gone: the other hears of it after what was on its way, and not at all through a black hole: a server keeps such a client's session, and its locks. */
  #end(gone: Socket): void {
    const [lane, other] = gone === this.#client ? [this.#lanes[0]!, this.#upstream!] : [this.#lanes[1]!, this.#client];
    // A unix socket knows no reset.
    if (lane.hears) lane.afterAll(() => (!gone.errored ? other.destroySoon() : other === this.#client ? resetSocket(other) : other.destroy()));
    else this.#lost = true;
  }
}

interface Late {
  at: number;
  deliver(): void;
}

/** One direction of a connection. */
class Lane {
  readonly #late: Late[] = [];
  #mode: ProxyMode = { kind: 'pass' };
  #timer: NodeJS.Timeout | undefined;

  constructor(
    from: Socket,
    private readonly target: Socket,
    private readonly lose: () => void,
    private readonly deafIn: ProxyMode['kind'][],
  ) {
    from.on('data', (chunk: Buffer) => this.#pass(() => this.#write(from, chunk)));
    from.on('end', () => this.#pass(() => target.end()));
    target.on('drain', () => from.resume());
  }

  /** Whether what happens on one side is heard on the other. */
  get hears(): boolean {
    return !this.deafIn.includes(this.#mode.kind);
  }

  mode(mode: ProxyMode): void {
    this.#mode = mode;
    if (!this.hears && this.#late.length > 0) {
      this.#late.length = 0;
      this.lose();
    }
    if (mode.kind === 'pass') for (const late of this.#late) late.at = 0;
    this.#deliver();
  }

  afterAll(then: () => void): void {
    if (this.#late.length === 0) then();
    else this.#late.push({ at: this.#late.at(-1)!.at, deliver: then });
  }

  #pass(deliver: () => void): void {
    if (!this.hears) return this.lose();
    this.#late.push({ at: this.#mode.kind === 'delay' ? performance.now() + this.#mode.ms : 0, deliver });
    this.#deliver();
  }

  #deliver(): void {
    clearTimeout(this.#timer);
    const now = performance.now();
    while (this.#late[0] && this.#late[0].at <= now) this.#late.shift()!.deliver();
    if (this.#late[0]) this.#timer = setTimeout(() => this.#deliver(), this.#late[0].at - now);
  }

  #write(from: Socket, chunk: Buffer): void {
    if (this.target.writable && !this.target.write(chunk)) from.pause();
  }
}
