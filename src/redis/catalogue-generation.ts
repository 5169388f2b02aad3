import type { Redis } from 'ioredis';
import { v7 as uuid } from 'uuid';
import { keys } from './keys.js';
import { topics } from './pubsub.js';
import { Script } from './script.js';

/** Counts the changes of the catalogue, so that what was read before one is known for old. A new count, of a Redis that has lost it, has another epoch. */
export interface Generation {
  epoch: string;
  generation: number;
}

const ask = new Script<[string, number]>('catalogue-ask');

export class CatalogueGeneration {
  constructor(private readonly redis: Redis) {}

  current(): Promise<Generation> {
    return this.#ask(0);
  }

  /** After the commit of a change; told to every process. */
  raise(): Promise<Generation> {
    return this.#ask(1);
  }

  async #ask(step: 0 | 1): Promise<Generation> {
    const [epoch, generation] = await ask.run(this.redis, [keys.catalogue()], [uuid(), step, topics.catalogueChanged()]);
    return { epoch, generation };
  }
}
