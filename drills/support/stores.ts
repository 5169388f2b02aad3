/** A MariaDB or Redis of the drill's own, on a unix socket, that can be killed, frozen and started again on the same data. */
export interface StoreServer {
  readonly pid: number;
  /** The unix socket. */
  readonly socket: string;
  /** kill -9; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts it again on what is on the disk; resolves when it answers. */
  start(): Promise<void>;
  /** SIGSTOP: it takes connections and answers nothing. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
}

export interface RedisStart {
  /** Whether it writes (and reads at its start) an append-only file; as before when not given. */
  aof?: boolean;
  /** Start from this file of `saveDump` instead of from its own data. */
  dump?: string;
}

export interface RedisServer extends StoreServer {
  start(options?: RedisStart): Promise<void>;
  /** A snapshot of now, copied to a file of its own; the answer is its path. */
  saveDump(): Promise<string>;
  flushAll(): Promise<void>;
}
