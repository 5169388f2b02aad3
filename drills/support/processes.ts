import type { Proxy } from './proxy.js';

/** One Frontrow process of the built program, behind proxies of its own. */
export interface FrontrowNode {
  readonly name: string;
  readonly role: 'api' | 'worker';
  /** Of its front proxy, as clients see it: stays the same over restarts. */
  readonly url: string;
  /** Of the process itself, for health and metrics: not through the front proxy, another one after each start. */
  readonly operatorUrl: string;
  /** 0 while it does not run. */
  readonly pid: number;
  readonly front: Proxy;
  readonly toDatabase: Proxy;
  readonly toRedis: Proxy;
  /** SIGKILL unless told otherwise; resolves when the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again; resolves when it is ready. `env` is laid over what it had, and stays. */
  start(env?: Record<string, string>): Promise<void>;
  /** SIGTERM: its exit code, or the signal that ended it. */
  stop(): Promise<number | string>;
  /** GET /health/ready answers 200. */
  ready(): Promise<boolean>;
  /** Resolves with its exit code or signal when the process that runs now has ended, whoever ended it. */
  ended(): Promise<number | string>;
  /** Everything it has written, over all its starts. */
  log(): string;
}
