import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** A Lua script in `scripts/`, run by its hash; loaded again by itself when Redis has forgotten it. */
export class Script<Reply> {
  readonly #source: string;
  readonly #sha: string;

  constructor(readonly name: string) {
    this.#source = readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');
    this.#sha = createHash('sha1').update(this.#source).digest('hex');
  }

  /** For what is not text: arguments may be bytes, replies are. */
  async runBytes(redis: Redis, keyNames: readonly string[], args: readonly (string | number | Buffer)[]): Promise<Buffer[]> {
    try {
      return (await redis.callBuffer('evalsha', this.#sha, keyNames.length, ...keyNames, ...args)) as Buffer[];
    } catch (error) {
      if (!isForgotten(error)) throw error;
      return (await redis.callBuffer('eval', this.#source, keyNames.length, ...keyNames, ...args)) as Buffer[];
    }
  }

  async run(redis: Redis, keyNames: readonly string[], args: readonly (string | number)[]): Promise<Reply> {
    try {
      return (await redis.evalsha(this.#sha, keyNames.length, ...keyNames, ...args)) as Reply;
    } catch (error) {
      if (!isForgotten(error)) throw error;
      return (await redis.eval(this.#source, keyNames.length, ...keyNames, ...args)) as Reply;
    }
  }
}

const isForgotten = (error: unknown): boolean => error instanceof Error && error.message.startsWith('NOSCRIPT');
