import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from 'pino';
import { MoveLog, UNKNOWN_LINE } from '../domain/queue-moves.js';
import { topics, type Messages, type PubSub, type ToldLine } from '../redis/pubsub.js';
import type { QueueView } from '../redis/queue-store.js';
import { positionOf, type Crowd, type QueuePositions, type Stand } from './queue-positions.js';
import { FarTurns, newlyWatched, type Watched } from './queue-watched.js';
import type { Watcher } from './queue-watcher.js';

/**
 * All who watch one queue from this process share one listener. Where they stand is read from Redis once; from then on each message of the queue tells how the
 * line moved, and every position is worked out here, exact for the instant of the message. What cannot be worked out is read again, one reading at a time. What
 * a watcher is sent never goes back in time.
 */

export interface RoomPace {
  /** Whom a moving line is told at once, as promised: so many at the head. */
  nearPositions: number;
  heartbeatMs: number;
  /** Between two signs of life of one who watches, at most. */
  presenceMs: number;
}

/** Redis is busy with one reading for a few milliseconds at most. */
const READ_AT_ONCE = 1000;
/** So many are told before the process does something else. */
const TELL_AT_ONCE = 1000;

export class Room {
  readonly listening: Promise<() => void>;
  readonly #watched = new Map<string, Watched>();
  readonly #far = new FarTurns(this.#watched);
  #log = new MoveLog();
  /** The queue at the instant to which the log reaches. */
  #crowd: Crowd | null = null;
  #presenceTurn: Iterator<Watched, undefined> = this.#watched.values();
  /** Who is to be read next. */
  readonly #due = new Set<Watched>();
  #reading = false;
  #toTell: Watched[] = [];
  #telling = false;
  #heardHeartbeat = false;

  constructor(
    readonly concertId: string,
    pubsub: PubSub,
    private readonly positions: QueuePositions,
    private readonly pace: RoomPace,
    private readonly logger: Logger,
  ) {
    this.listening = pubsub.listen<'queueMoved'>(topics.queueMoved(concertId), (message) => this.#hear(message));
  }

  get empty(): boolean {
    return this.#watched.size === 0;
  }

  add(watcher: Watcher, place: number | null): void {
    const watched = this.#watched.get(watcher.userId);
    if (watched) Object.assign(watched, { watchers: [...watched.watchers, watcher], place });
    else this.#watched.set(watcher.userId, newlyWatched(watcher, place));
  }

  remove(watcher: Watcher): void {
    const watched = this.#watched.get(watcher.userId);
    if (!watched) return;
    watched.watchers = watched.watchers.filter((other) => other !== watcher);
    if (watched.watchers.length > 0) return;
    this.#watched.delete(watcher.userId);
    this.#due.delete(watched);
  }

  /** Read again, and told whatever comes of it. */
  refresh(users: Iterable<string>): void {
    for (const userId of users) this.#owe(this.#watched.get(userId));
    this.#read();
  }

  refreshAll(): void {
    this.refresh(this.#watched.keys());
  }

  /** Between two beats a queue that is looked after has a heartbeat; without one it may be lost, and its places with it. */
  hearBeat(): void {
    if (!this.#heardHeartbeat) this.refreshAll();
    this.#heardHeartbeat = false;
  }

  #hear({ users, moved, heartbeat, line }: Messages['queueMoved']): void {
    if (heartbeat) this.#heardHeartbeat = true;
    // Without a line: of a recovery, or of a process of a version that tells none.
    if (!line && (moved || heartbeat)) return this.refreshAll();
    for (const userId of users) this.#owe(this.#watched.get(userId));
    if (line) this.#follow(line);
    if (heartbeat) this.#beat();
    this.#read();
    this.#tell();
  }

  /** Works out where everybody stands now. */
  #follow(line: ToldLine): void {
    this.#log.add(line);
    // Overtaken by a newer one.
    if (this.#log.epoch !== line.epoch || this.#log.version !== line.to) return;
    this.#crowd = line;
    for (const watched of this.#watched.values()) {
      if (line.unlisted) watched.epoch = UNKNOWN_LINE;
      if (!this.#advance(watched)) this.#due.add(watched);
      else if (this.#isNear(watched)) this.#mark(watched);
    }
    for (const watched of this.#far.next()) this.#mark(watched);
  }

  /** Everybody hears what is new since the last heartbeat, and some show that they are here. */
  #beat(): void {
    for (const watched of this.#far.late()) this.#mark(watched);
    for (let count = Math.min(this.#presentAtOnce, this.#watched.size); count > 0; count -= 1) this.#owe(this.#nextPresent());
  }

  /** By turns; after the last comes the first. */
  #nextPresent(): Watched | undefined {
    const { value, done } = this.#presenceTurn.next();
    if (!done) return value;
    this.#presenceTurn = this.#watched.values();
    return this.#presenceTurn.next().value;
  }

  /** However many watch, a heartbeat costs Redis one reading; so each is present for the time until the turn comes again. */
  get #presentAtOnce(): number {
    const rounds = Math.max(1, Math.floor(this.pace.presenceMs / this.pace.heartbeatMs));
    return Math.max(READ_AT_ONCE, Math.ceil(this.#watched.size / rounds));
  }

  get #presentAheadMs(): number {
    return Math.max(0, Math.ceil(this.#watched.size / this.#presentAtOnce) - 1) * this.pace.heartbeatMs;
  }

  #owe(watched: Watched | undefined): void {
    if (!watched) return;
    watched.owed = true;
    this.#due.add(watched);
  }

  #mark(watched: Watched): void {
    if (watched.isToTell) return;
    watched.isToTell = true;
    this.#toTell.push(watched);
  }

  #isNear({ status, rank }: Watched): boolean {
    return status !== 'WAITING' || rank < this.pace.nearPositions;
  }

  /** Brings what is known of one to the log's instant; false where that takes a reading, before which nothing is known. */
  #advance(watched: Watched): boolean {
    if (watched.epoch === UNKNOWN_LINE) return false;
    if (watched.status !== 'WAITING') return true;
    const { place, rank, epoch, version } = watched;
    const now = place === null ? null : this.#log.rankOf({ place, rank, epoch, version });
    if (now === null) {
      watched.epoch = UNKNOWN_LINE;
      return false;
    }
    watched.rank = now;
    if (epoch === this.#log.epoch && version < this.#log.version) watched.version = this.#log.version;
    return true;
  }

  #tell(): void {
    if (!this.#telling && this.#toTell.length > 0) void this.#tellAll();
  }

  async #tellAll(): Promise<void> {
    this.#telling = true;
    while (this.#toTell.length > 0) {
      const those = this.#toTell;
      this.#toTell = [];
      for (const [index, watched] of those.entries()) {
        if (index > 0 && index % TELL_AT_ONCE === 0) await nextTurn();
        this.#tellOne(watched);
      }
    }
    this.#telling = false;
  }

  /** By the latest message; whom a later reading has told more knows it already. */
  #tellOne(watched: Watched): void {
    watched.isToTell = false;
    if (this.#due.has(watched) || watched.epoch === UNKNOWN_LINE) watched.owed = true;
    else if (this.#crowd && !this.#log.isBehind(watched)) this.#offer(watched, this.#crowd);
  }

  #offer(watched: Watched, crowd: Crowd): void {
    watched.owed = false;
    watched.toldAt = performance.now();
    const position = positionOf(this.concertId, watched.userId, crowd, watched);
    for (const watcher of watched.watchers) watcher.offer(position);
  }

  #read(): void {
    if (!this.#reading && this.#due.size > 0) void this.#readDue();
  }

  /** One reading at a time; what falls due meanwhile is read once more after it. */
  async #readDue(): Promise<void> {
    this.#reading = true;
    let those: Watched[] = [];
    try {
      while (this.#due.size > 0) {
        those = [...this.#due];
        this.#due.clear();
        let isStale = false;
        for (let from = 0; from < those.length; from += READ_AT_ONCE) isStale = (await this.#readSome(those.slice(from, from + READ_AT_ONCE), isStale)) || isStale;
        // Nobody's position is known before all are back whose places were lost.
        if (isStale) for (const watched of those) if (this.#isWatched(watched)) this.#due.add(watched);
      }
    } catch (error) {
      for (const watched of those) if (this.#isWatched(watched)) this.#due.add(watched);
      this.logger.warn({ err: error, concertId: this.concertId }, 'positions not read; with the next message of the queue they are');
    } finally {
      this.#reading = false;
    }
  }

  #isWatched(watched: Watched): boolean {
    return this.#watched.get(watched.userId) === watched;
  }

  /** True when what was read is to be read once more. */
  async #readSome(those: readonly Watched[], isStale: boolean): Promise<boolean> {
    const { epoch, version } = this.#log;
    const { view, standings, places, ...reading } = await this.positions.readHolders(this.concertId, those, this.#presentAheadMs);
    for (const [index, watched] of those.entries()) watched.place = places[index]!;
    if (isStale || reading.isStale) return true;
    if (view.epoch < epoch || (view.epoch === epoch && view.version < version)) this.#startAnew();
    for (const [index, watched] of those.entries()) if (this.#isWatched(watched)) this.#note(watched, standings[index]!, view);
    return false;
  }

  /** Redis knows less of the line than it has told: what was told counts no more. */
  #startAnew(): void {
    this.#log = new MoveLog();
    for (const watched of this.#watched.values()) {
      watched.epoch = UNKNOWN_LINE;
      this.#owe(watched);
    }
  }

  /** A message may have overtaken the reading. */
  #note(watched: Watched, { status, rank, passEndsAt }: Stand, view: QueueView): void {
    Object.assign(watched, { status, rank, passEndsAt, epoch: view.epoch, version: view.version });
    const isNewest = !(this.#log.epoch > view.epoch || (this.#log.epoch === view.epoch && this.#log.version > view.version));
    if (!this.#advance(watched)) this.#due.add(watched);
    else if (watched.owed || this.#isNear(watched)) this.#offer(watched, isNewest ? view : (this.#crowd ?? view));
  }
}
