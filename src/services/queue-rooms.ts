import type { Logger } from 'pino';
import type { QueuePosition } from '../domain/queue.js';
import { topics, type PubSub } from '../redis/pubsub.js';
import type { QueuePositions } from './queue-positions.js';
import { Room, type RoomPace } from './queue-room.js';
import { Watcher } from './queue-watcher.js';

/** The queues that are watched from this process; one that nobody watches any more is listened to no more. */
export class QueueRooms {
  readonly #rooms = new Map<string, Room>();
  #beats: Promise<unknown> | null = null;

  constructor(
    private readonly pubsub: PubSub,
    private readonly positions: QueuePositions,
    private readonly pace: RoomPace,
    private readonly logger: Logger,
  ) {}

  /** Listens first and reads then, so that no change falls in between. */
  async watch(concertId: string, userId: string, place: number | null): Promise<AsyncIterableIterator<QueuePosition>> {
    const room = this.#rooms.get(concertId) ?? this.#open(concertId);
    const watcher = new Watcher(userId, () => this.#leave(room, watcher));
    room.add(watcher, place);
    try {
      await Promise.all([room.listening, this.#listenToBeats()]);
    } catch (error) {
      void watcher.return();
      throw error;
    }
    room.refresh([userId]);
    return watcher;
  }

  /** After a time without Redis: what was told meanwhile, or lost with it, is read now. */
  refresh(): void {
    for (const room of this.#rooms.values()) room.refreshAll();
  }

  #listenToBeats(): Promise<unknown> {
    this.#beats ??= this.pubsub
      .listen<'queuesBeat'>(topics.queuesBeat(), () => {
        for (const room of this.#rooms.values()) room.hearBeat();
      })
      .catch((error: unknown) => {
        this.#beats = null;
        throw error;
      });
    return this.#beats;
  }

  #open(concertId: string): Room {
    const room = new Room(concertId, this.pubsub, this.positions, this.pace, this.logger);
    this.#rooms.set(concertId, room);
    return room;
  }

  #leave(room: Room, watcher: Watcher): void {
    room.remove(watcher);
    if (!room.empty || this.#rooms.get(room.concertId) !== room) return;
    this.#rooms.delete(room.concertId);
    room.listening.then((stop) => stop()).catch((error: unknown) => this.logger.warn({ err: error }, 'queue room not closed'));
  }
}
