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
