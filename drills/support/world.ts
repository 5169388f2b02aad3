import type { App } from '../../src/app.js';
import type { Builder } from '../../test/support/builder.js';
import type { FrontrowNode } from './processes.js';
import type { RedisServer, StoreServer } from './stores.js';

export interface WorldOptions {
  apis?: number;
  workers?: number;
  /** For every process, and for the observer's settings. */
  env?: Record<string, string>;
  /** For one process alone, by its name (api-1, worker-1): fake time, NODE_OPTIONS. */
  nodeEnv?: (name: string) => Record<string, string>;
  /** Further flags of mariadbd. */
  database?: { flags?: string[] };
  /** AOF is on unless told otherwise. */
  redis?: { aof?: boolean };
  say?: (line: string) => void;
}

/** Private stores and Frontrow processes, each of which reaches the stores, and is reached, through proxies of its own. */
export interface World {
  readonly folder: string;
  readonly database: StoreServer;
  readonly redis: RedisServer;
  readonly nodes: FrontrowNode[];
  readonly apis: FrontrowNode[];
  readonly workers: FrontrowNode[];
  /** An observer that is connected straight to the stores: for arranging, final reads and invariants. */
  readonly app: App;
  readonly build: Builder;
  close(): Promise<void>;
}

export async function startWorld(_options: WorldOptions = {}): Promise<World> {
  throw new Error('not yet');
}
