import { RedisPubSub } from 'graphql-redis-subscriptions';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { Counters } from '../domain/counters.js';
import type { LineMoves } from '../domain/queue-moves.js';
import type { Pace } from '../domain/queue.js';
import { Script } from './script.js';
import type { WrittenChange } from './seat-log.js';
import { within } from './within.js';

/** A queue at the instant of a message, and what became of its line since the message before. */
export interface ToldLine extends LineMoves, Pace {
  /** The line moved in other ways too: ranks of before are not known any more. */
  unlisted: boolean;
  waiting: number;
  seatsMayRemain: boolean;
}

/** What instances tell each other. Delivery is at most once: every reader must be right, only later, when a message is lost. */
export interface Messages {
  /** One user's reservation changed its status. */
  reservationChanged: { reservationId: string };
  /**
   * A concert's queue: `users` are those whose status changed, `moved` says that positions of others changed too, `heartbeat` asks every
   * instance who is still connected. `line` is added by the script that sends it (queue-tell): one message tells all positions.
   */
  queueMoved: { concertId: string; users: string[]; moved: boolean; heartbeat: boolean; line?: ToldLine };
  /** The admission job lives: whoever hears nothing of a queue in particular may look for himself. */
  queuesBeat: Record<string, never>;
  /** Seats of a date changed: an entry of its log. */
  seatsChanged: { scheduleId: string; epoch: string; sequence: number; reset: boolean; changes: WrittenChange[] };
  /** An admin changed the catalogue: nothing that was read of an earlier generation holds. */
  catalogueChanged: { epoch: string; generation: number };
  /** A session was revoked: its sockets must close. */
  sessionRevoked: { sessionId: string };
}

export const topics = {
  reservationChanged: (userId: string): string => `frontrow:reservation-changed:${userId}`,
  queueMoved: (concertId: string): string => `frontrow:queue-moved:${concertId}`,
  queuesBeat: (): string => 'frontrow:queues-beat',
  seatsChanged: (): string => 'frontrow:seats-changed',
  catalogueChanged: (): string => 'frontrow:catalogue-changed',
  sessionRevoked: (): string => 'frontrow:session-revoked',
} as const;

/** Shorter than those wait who publish after a commit, so that a failure is reported here, once. */
const PATIENCE_MS = 1000;

const tellScript = new Script<number>('publish-all');

export class PubSub {
  readonly #pubsub: RedisPubSub;

  constructor(
    private readonly publisher: Redis,
    subscriber: Redis,
    private readonly counters: Counters,
    logger: Logger,
  ) {
    this.#pubsub = new RedisPubSub({ publisher, subscriber });
    hearFailedSubscribe(subscriber, this.#pubsub, logger);
  }

  /** Never fails the caller: what was committed stays committed, and a lost message only delays those who listen. */
  async publish<Name extends keyof Messages>(topic: string, message: Messages[Name]): Promise<void> {
    try {
      await within(this.#pubsub.publish(topic, message), PATIENCE_MS);
    } catch (error) {
      this.counters.followUpFailed('publish', error);
    }
  }

  /** The same for messages of one kind that are due together: one call to Redis for all. */
  async publishAll<Name extends keyof Messages>(messages: readonly { topic: string; message: Messages[Name] }[]): Promise<void> {
    try {
      await within(tellScript.run(this.publisher, [], messages.flatMap(({ topic, message }) => [topic, JSON.stringify(message)])), PATIENCE_MS);
    } catch (error) {
      this.counters.followUpFailed('publish', error);
    }
  }

  iterate<Name extends keyof Messages>(topic: string): AsyncIterableIterator<Messages[Name]> {
    return this.#pubsub.asyncIterableIterator<Messages[Name]>(topic);
  }

  async listen<Name extends keyof Messages>(topic: string, listener: (message: Messages[Name]) => void): Promise<() => void> {
    const id = await this.#pubsub.subscribe(topic, listener);
    return () => this.#pubsub.unsubscribe(id);
  }
}

type Callback = (error?: Error | null, result?: unknown) => void;

/** The library keeps a promise beside each subscribe that nobody may be waiting for: on a connection that closes meanwhile its rejection would end the process. */
function hearFailedSubscribe(subscriber: Redis, pubsub: RedisPubSub, logger: Logger): void {
  const send = subscriber.subscribe.bind(subscriber) as (...args: unknown[]) => Promise<unknown>;
  subscriber.subscribe = ((...args: unknown[]) => {
    const callback = args.at(-1);
    const channels = typeof callback === 'function' ? args.slice(0, -1) : args;
    const done = send(...channels);
    done.catch((error: unknown) => {
      pubsub['subsPendingRefsMap'].get(String(channels[0]))?.pending.catch(() => undefined);
      logger.debug({ err: error, channels }, 'subscribe failed');
    });
    if (typeof callback === 'function') void done.then((result) => (callback as Callback)(null, result), callback as Callback);
    return done;
  }) as never;
}
