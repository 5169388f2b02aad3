import { once } from 'node:events';
import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from 'pino';

/** A connection that stays silent is dropped and made anew, whatever TCP still hopes for: a Redis that can be reached again is in use again within seconds. */

/** Where the Redis is: a `redis://` URL, or the path of the unix socket of the own server. */
export type RedisAddress = string;

const KEEP_TRYING: RedisOptions = { maxRetriesPerRequest: null, enableOfflineQueue: true };
const RETRY_DELAY_MAX_MS = 1000;
const CONNECT_TIMEOUT_MS = 2000;
/** So often each connection is asked for a sign of life; one that owes it for two turns is dropped, and so is one that does not get ready in that time. */
const BEAT_MS = 1000;
const BEATS_MISSED_MAX = 2;
const retryStrategy = (attempt: number): number => Math.min(attempt * 50, RETRY_DELAY_MAX_MS);

function connect(address: RedisAddress, options: RedisOptions, logger: Logger): Redis {
  const redis = new Redis(address, { retryStrategy, connectTimeout: CONNECT_TIMEOUT_MS, replyMapping: 'legacy', ...options } as RedisOptions);
  redis.on('error', (error) => logger.warn({ err: error }, 'redis connection'));
  redis.on('connect', () => sendTogether(redis));
  forgetAnswered(redis);
  watch(redis, logger);
  return redis;
}

/** What is said to Redis in one step of the process goes out in one piece: each piece costs both sides a turn. Nothing waits for an answer, as it would in a pipeline of one at a time. */
function sendTogether({ stream }: Redis): void {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  let gathering = false;
  stream.write = ((...args: unknown[]) => {
    if (!gathering) {
      gathering = true;
      stream.cork();
      process.nextTick(() => {
        gathering = false;
        stream.uncork();
      });
    }
    return write(...args);
  }) as typeof stream.write;
}

/**
 * ioredis makes a function for each command that V8 puts among the old at once, where it keeps the command until a full collection. Most of that is what was sent, by which a command
 * that is answered need not be known any more. It also means that a failed command nobody listens to goes unheard, as `PubSub` counts on for who leaves; whose failure matters is awaited.
 */
function forgetAnswered(redis: Redis): void {
  const send = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, stream) => {
    const answered = send(command, stream) as Promise<unknown>;
    const forget = (): void => void (command.args = []);
    answered.then(forget, forget);
    return answered;
  };
}

/** Turns are counted, not time: after a turn in which the process was busy it first reads what has come meanwhile. */
function watch(redis: Redis, logger: Logger): void {
  const copies = watchCopies(redis);
  let asked = false;
  let missed = 0;
  redis.on('close', () => {
    asked = false;
    missed = 0;
  });
  whileOpen(redis, () => {
    const due = redis.status === 'connect' || (redis.status === 'ready' && asked);
    missed = due ? missed + 1 : 0;
    if (missed >= BEATS_MISSED_MAX) {
      logger.warn({ status: redis.status }, 'redis is silent: connecting anew');
      for (const silent of [redis, ...copies]) drop(silent);
    } else if (redis.status === 'ready' && !asked) {
      asked = true;
      redis.ping().then(() => (asked = false), () => undefined);
    }
  });
}

/** A worker waits for jobs on a copy of its connection, which cannot be asked while it waits: it is silent, and ends, when the one it was copied from does. */
function watchCopies(redis: Redis): Set<Redis> {
  const copies = new Set<Redis>();
  const duplicate = redis.duplicate.bind(redis);
  redis.duplicate = (override) => {
    const copy = duplicate(override);
    let missed = 0;
    // One that has ended already is left alone: to end it again would keep the process for 2 s.
    const endWithIt = (): void => {
      if (redis.status === 'end' && copy.status !== 'end') copy.disconnect();
    };
    redis.on('end', endWithIt);
    copy.on('connecting', endWithIt);
    copies.add(copy);
    whileOpen(copy, () => {
      missed = copy.status === 'connect' ? missed + 1 : 0;
      if (missed >= BEATS_MISSED_MAX) drop(copy);
    });
    return copy;
  };
  return copies;
}

/** Job workers end a connection and open it again. */
function whileOpen(redis: Redis, beat: () => void): void {
  let timer: NodeJS.Timeout | undefined;
  redis.on('connecting', () => (timer ??= setInterval(beat, BEAT_MS).unref()));
  redis.on('end', () => {
    clearInterval(timer);
    timer = undefined;
  });
}

function drop(redis: Redis): void {
  redis.stream?.destroy();
}

/**
 * For requests: an answer at once or an error at once, so that no buyer waits for a Redis that is away. Nothing is sent a second time: a script that was meant
 * for the run of the server before must not meet the next one. Resolves when connected.
 */
export async function connectFailFast(address: RedisAddress, logger: Logger): Promise<Redis> {
  const redis = connect(address, { maxRetriesPerRequest: 0, enableOfflineQueue: false }, logger);
  if (redis.status !== 'ready') await once(redis, 'ready');
  return redis;
}

/** For subscribers and job workers, which wait for Redis to come back. */
export const connectPatient = (address: RedisAddress, logger: Logger): Redis => connect(address, KEEP_TRYING, logger);
