import type { Redis } from 'ioredis';

/**
 * Tells one run of the Redis server from the next. Keys that carry it are forgotten by a server that starts again, also by one that has loaded them from an
 * old dump: what it remembers may have been undone since. Asked once for each connection, so a call costs no round trip of its own.
 */
export class ServerRun {
  #current: Promise<string> | null = null;

  constructor(private readonly redis: Redis) {
    redis.on('close', () => (this.#current = null));
    redis.on('ready', () => void this.current().catch(() => undefined));
    if (redis.status === 'ready') void this.current().catch(() => undefined);
  }

  /** While Redis is away it rejects, as commands do. */
  current(): Promise<string> {
    if (this.#current) return this.#current;
    const asked = this.#ask();
    this.#current = asked;
    asked.catch(() => {
      if (this.#current === asked) this.#current = null;
    });
    return asked;
  }

  async #ask(): Promise<string> {
    const [, run] = /^run_id:(\w+)/m.exec(await this.redis.info('server')) ?? [];
    if (!run) throw new Error('Redis does not tell its run.');
    return run;
  }
}
