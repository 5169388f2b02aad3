import type { Redis } from 'ioredis';
import { v7 as uuid } from 'uuid';
import { keys } from './keys.js';
import { topics } from './pubsub.js';
import { Script } from './script.js';
import type { ServerRun } from './server-run.js';

/** After the last look at it; a new count is no harm. */
const GENERATION_KEPT_MS = 86_400_000;

/**
 * Counts the changes of the catalogue, so that what was read before one is known for old. A new count, of a Redis that has lost it or has started again and may
 * remember an old one, has another epoch.
 */
export interface Generation {
  epoch: string;
  generation: number;
}

const ask = new Script<[string, number]>('catalogue-ask');

export class CatalogueGeneration {
  constructor(
    private readonly redis: Redis,
    private readonly run: ServerRun,
  ) {}

  current(): Promise<Generation> {
    return this.#ask(0);
  }

  /** After the commit of a change; told to every process. */
  raise(): Promise<Generation> {
    return this.#ask(1);
  }

  async #ask(step: 0 | 1): Promise<Generation> {
    const [epoch, generation] = await ask.run(this.redis, [keys.catalogue(await this.run.current())], [uuid(), step, topics.catalogueChanged(), GENERATION_KEPT_MS]);
    return { epoch, generation };
  }
}
