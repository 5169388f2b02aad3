import type { Redis } from 'ioredis';
import { serviceUnavailable } from '../domain/errors.js';
import { ESTIMATE_INTERVALS, PLACES_PER_EPOCH, type Pace, type Place, type QueuePolicy } from '../domain/queue.js';
import type { QueueStatus } from '../domain/states.js';
import { keys } from './keys.js';
import { MicroBatch } from './micro-batch.js';
import { topics, type Messages } from './pubsub.js';
import { Script } from './script.js';
import type { ServerRun } from './server-run.js';
import { orUnavailable } from './unavailable.js';

/**
 * A user is waiting or active or neither, never both: every change of it is one script, and so is every answer about it. None of them runs on a queue that
 * this run of the Redis server may have lost or remembers from before: it is recovered first.
 */

/** How many users one script handles at most, so that Redis is never busy long with one queue. */
export const QUEUE_BATCH = 500;

/** A queue at one instant. */
export interface QueueView extends Pace {
  waiting: number;
  seatsMayRemain: boolean;
  /** Of the places that newcomers get; one of an older epoch that is not here may have been lost. */
  epoch: number;
  /** Moves of the line so far, in this epoch: at which of them the ranks are true. */
  version: number;
}

/** A user in it; null if no place is known, and the place null if it has ended. */
export type Standing = { status: QueueStatus; rank: number; passEndsAt: number; place: number | null } | null;

/** Where a user stands who has a place in the queue, at the instant of the view. */
export interface Joined {
  status: 'JOINED' | 'WAITING' | 'ACTIVE';
  place: number;
  rank: number;
  passEndsAt: number;
  view: QueueView;
  /** Nobody looked after the queue before. */
  wakes: boolean;
}
/** LOST: nothing was done; the place that the user proves may come back. */
export type JoinOutcome = Joined | 'CLOSED' | 'LOST';
export type PassOutcome = { status: 'ACTIVE' | 'LIMITED' | 'WAITING' | 'ENDED' | 'LOST'; remainingMs: number };
/** A place that is not here, and what the database remembers of it. */
export interface LostPlace extends Place {
  status: QueueStatus;
  remainingMs: number;
}
/** PAID ends an ACTIVE pass, TIME one whose end has come, ABSENT the place of a waiter not seen for the grace, KNOWN that of a waiter which had ended before. */
export type EndCause = 'PAID' | 'TIME' | 'ABSENT' | 'KNOWN';
/** LOST is GONE of a place that may have been lost. */
export type AdmitOutcome = 'ADMITTED' | 'ALREADY' | 'WAITING' | 'GONE' | 'LOST';

export interface Look {
  idle: boolean;
  moved: boolean;
  heartbeatDue: boolean;
  /** Ticks of this queue so far. */
  beat: number;
  /** Of this queue now. */
  epoch: number;
  overdue: Place[];
  absent: Place[];
}

export interface LookOptions {
  outageMs: number;
  absenceGraceMs: number;
  heartbeatMs: number;
  seatsMayRemain: boolean;
  saleIsOver: boolean;
}

type ViewReply = [waiting: number, interval: string, seats: string, sinceAdmission: number, full: string, admissions: string, epoch: string, version: string];
const joinScript = new Script<[ViewReply, ...[status: string, place?: string, rank?: number, passEnd?: string][]]>('queue-join');
const positionsScript = new Script<[ViewReply, ...[string, number, string, string][]]>('queue-positions');
const passScript = new Script<[PassOutcome['status'], number?][]>('queue-pass');
const leaveScript = new Script<['WAITING' | 'ACTIVE', string] | ['NONE']>('queue-leave');
const endScript = new Script<string[]>('queue-end');
const lookScript = new Script<[string[], string[], string[]]>('queue-look');
const tellScript = new Script<number>('queue-tell');
const proposeScript = new Script<string[] | [string, string | number][]>('queue-propose');
const admitScript = new Script<[...AdmitOutcome[], number, number]>('queue-admit');

const returnScript = new Script<string[]>('queue-return');

const UNREADY = 'UNREADY';
/** How many requests share one call: Redis is busy with it for some tenths of a millisecond. */
const CALLS_TOGETHER = 64;
/** A Redis that is lost more often than this within one call is away. */
const RECOVERIES_MAX = 3;

const flag = (value: boolean): string => (value ? '1' : '0');

interface Join {
  userId: string;
  mayJoin: boolean;
  proven: number | null;
}

/** Where one who asks stands, at the instant of the view. */
interface Asker {
  view: QueueView;
  standing: Standing;
}

interface PassUse extends Place {
  countsAttempt: boolean;
  attemptsMax: number;
}

export class QueueStore {
  readonly #joins = new MicroBatch<Join, JoinOutcome>((concertId, joins) => orUnavailable(this.#joinAll(concertId, joins)), CALLS_TOGETHER);
  readonly #askers = new MicroBatch<string, Asker>((concertId, userIds) => orUnavailable(this.#standOf(concertId, userIds)), CALLS_TOGETHER);
  readonly #passUses = new MicroBatch<PassUse, PassOutcome>((concertId, uses) => orUnavailable(this.#checkPasses(concertId, uses)), CALLS_TOGETHER);

  constructor(
    private readonly redis: Redis,
    private readonly serverRun: ServerRun,
    /** Makes the queue usable in this run of the server; rejects with NOT_FOUND where there is no such concert. */
    private readonly recover: (concertId: string) => Promise<void>,
  ) {}

  /** `proven` is a place that the user has proved to have had. Redis that is away is SERVICE_UNAVAILABLE, here, for who asks and for passes. */
  join(concertId: string, userId: string, mayJoin: boolean, proven: number | null = null): Promise<JoinOutcome> {
    return this.#joins.ask(concertId, { userId, mayJoin, proven });
  }

  async #joinAll(concertId: string, joins: readonly Join[]): Promise<JoinOutcome[]> {
    const names = [
      ...ofQueue(concertId, 'Waiting', 'Active', 'Seen', 'Places', 'State', 'Events', 'Admissions'),
      ...joins.map(({ userId }) => keys.queueEnded(concertId, userId)),
    ];
    const args = joins.flatMap(({ userId, mayJoin, proven }) => [userId, flag(mayJoin), proven ?? -1]);
    const [view, ...users] = await this.#run(joinScript, concertId, names, [PLACES_PER_EPOCH, ...args]);
    // Only now: whoever removes the concert from the set looks for people after it, and finds these.
    let wakes = users.some(([, place]) => place !== undefined) && (await this.redis.sadd(keys.queues(), concertId)) === 1;
    const known = viewOf(view);
    return users.map(([status, place, rank, passEnd]): JoinOutcome => {
      if (status === 'CLOSED' || status === 'LOST') return status;
      const joined: Joined = { status: status as Joined['status'], place: Number(place), rank: rank!, passEndsAt: Number(passEnd), view: known, wakes };
      wakes = false;
      return joined;
    });
  }

  /** Of one who asks, and so counts as present. */
  position(concertId: string, userId: string): Promise<Asker> {
    return this.#askers.ask(concertId, userId);
  }

  async #standOf(concertId: string, userIds: readonly string[]): Promise<Asker[]> {
    const { view, standings } = await this.positions(concertId, userIds, 0);
    return standings.map((standing) => ({ view, standing }));
  }

  /** Who is asked for counts as present, for so many ms ahead. */
  async positions(concertId: string, userIds: readonly string[], presentAheadMs: number): Promise<{ view: QueueView; standings: Standing[] }> {
    const names = [
      ...ofQueue(concertId, 'Waiting', 'Active', 'Seen', 'Places', 'State', 'Admissions'),
      ...userIds.map((userId) => keys.queueEnded(concertId, userId)),
    ];
    const [view, ...users] = await this.#run(positionsScript, concertId, names, [presentAheadMs, ...userIds]);
    return {
      view: viewOf(view),
      standings: users.map(([status, rank, passEnd, place]) =>
        status === 'NONE' ? null : { status: status as QueueStatus, rank, passEndsAt: Number(passEnd), place: place === '' ? null : Number(place) },
      ),
    };
  }

  checkPass(concertId: string, { userId, place }: Place, countsAttempt: boolean, attemptsMax: number): Promise<PassOutcome> {
    return this.#passUses.ask(concertId, { userId, place, countsAttempt, attemptsMax });
  }

  async #checkPasses(concertId: string, uses: readonly PassUse[]): Promise<PassOutcome[]> {
    const names = ofQueue(concertId, 'Waiting', 'Active', 'Places', 'Attempts', 'State');
    const args = uses.flatMap(({ userId, place, countsAttempt }) => [userId, place, flag(countsAttempt)]);
    const replies = await this.#run(passScript, concertId, names, [uses[0]!.attemptsMax, PLACES_PER_EPOCH, ...args]);
    return replies.map(([status, remainingMs]) => ({ status, remainingMs: remainingMs ?? 0 }));
  }

  /** The place given up, null if there was none. */
  async leave(concertId: string, userId: string, keptMs: number): Promise<{ wasActive: boolean; place: number } | null> {
    const names = [...ofQueue(concertId, 'Waiting', 'Active', 'Seen', 'Places', 'Attempts', 'State'), keys.queueEnded(concertId, userId), ...ofQueue(concertId, 'Events', 'Moves')];
    const [was, place] = await this.#run(leaveScript, concertId, names, [userId, keptMs]);
    return was === 'NONE' ? null : { wasActive: was === 'ACTIVE', place: Number(place) };
  }

  /** Those of the users whose place ended by it. */
  async end(concertId: string, cause: EndCause, places: readonly Place[], keptMs: number, absenceGraceMs: number): Promise<string[]> {
    if (places.length === 0) return [];
    const names = [
      ...ofQueue(concertId, 'Waiting', 'Active', 'Seen', 'Places', 'Attempts', 'State', 'Events', 'Moves'),
      ...places.map(({ userId }) => keys.queueEnded(concertId, userId)),
    ];
    return this.#run(endScript, concertId, names, [cause, keptMs, absenceGraceMs, ...flat(places)]);
  }

  async look(concertId: string, { outageMs, absenceGraceMs, heartbeatMs, seatsMayRemain, saleIsOver }: LookOptions): Promise<Look> {
    const names = ofQueue(concertId, 'Waiting', 'Active', 'Seen', 'Places', 'State', 'Admissions', 'Moves');
    const options = [outageMs, absenceGraceMs, heartbeatMs, QUEUE_BATCH, flag(seatsMayRemain), flag(saleIsOver)];
    const [[idle, moved, heartbeat, beat, epoch], overdue, absent] = await this.#run(lookScript, concertId, names, options);
    return {
      idle: idle === '1',
      moved: moved === '1',
      heartbeatDue: heartbeat === '1',
      beat: Number(beat),
      epoch: Number(epoch),
      overdue: placesOf(overdue),
      absent: placesOf(absent),
    };
  }

  /** One message to all processes; what the moves tell is told once, and stays to be told where this fails. */
  async tell(message: Messages['queueMoved']): Promise<void> {
    const { concertId } = message;
    const open = JSON.stringify(message).slice(0, -1);
    await this.#run(tellScript, concertId, ofQueue(concertId, 'Waiting', 'State', 'Admissions', 'Moves'), [topics.queueMoved(concertId), open]);
  }

  async propose(concertId: string, policy: QueuePolicy): Promise<Place[]> {
    const names = ofQueue(concertId, 'Waiting', 'Active', 'State', 'Admissions');
    const reply = await this.#run(proposeScript, concertId, names, [policy.admitCount, policy.admitIntervalMs, policy.activeMax, QUEUE_BATCH, ESTIMATE_INTERVALS]);
    return placesOf(reply.flat().map(String));
  }

  /** What became of each, how many are active with them, and in which epoch. */
  async admit(
    concertId: string,
    policy: QueuePolicy,
    passTtlMs: number,
    places: readonly Place[],
  ): Promise<{ outcomes: AdmitOutcome[]; active: number; epoch: number }> {
    const names = ofQueue(concertId, 'Waiting', 'Active', 'Seen', 'Places', 'Attempts', 'State', 'Events', 'Moves');
    const reply = await this.#run(admitScript, concertId, names, [policy.admitCount, policy.activeMax, passTtlMs, PLACES_PER_EPOCH, ...flat(places)]);
    return { outcomes: reply.slice(0, -2) as AdmitOutcome[], active: Number(reply.at(-2)), epoch: Number(reply.at(-1)) };
  }

  /** For each whether its user stands at it now, and the newer place that was given up for it. */
  async bringBack(concertId: string, places: readonly LostPlace[], replacesNewer: boolean, keptMs: number): Promise<{ isBack: boolean; givenUp: number | null }[]> {
    const names = [
      ...ofQueue(concertId, 'Waiting', 'Active', 'Seen', 'Places', 'Attempts', 'State', 'Moves'),
      ...places.map(({ userId }) => keys.queueEnded(concertId, userId)),
    ];
    const lost = places.flatMap(({ userId, place, status, remainingMs }) => [userId, place, status, remainingMs]);
    const replies = await this.#run(returnScript, concertId, names, [PLACES_PER_EPOCH, flag(replacesNewer), keptMs, ...lost]);
    if (replies.some((reply) => reply !== '0')) await this.redis.sadd(keys.queues(), concertId);
    return replies.map((reply) => ({ isBack: reply !== '0', givenUp: Number(reply) > 1 ? Number(reply) : null }));
  }

  /** The places that are ACTIVE, in parts; each is to be judged again by what is done with it. */
  activePlaces(concertId: string): AsyncIterable<Place[]> {
    return activePlacesOf(this.redis, concertId);
  }

  /** Once in `everyMs` for all workers. */
  async beatDue(everyMs: number): Promise<boolean> {
    return (await this.redis.set(keys.queuesBeat(), 1, 'PX', everyMs, 'NX')) === 'OK';
  }

  /** Concerts whose queue needs the admission job. */
  async queues(): Promise<string[]> {
    return this.redis.smembers(keys.queues());
  }

  /** The admission job stops looking after a queue; put back if somebody joined meanwhile. */
  async forget(concertId: string): Promise<void> {
    // First: its last events are still to be relayed.
    await this.redis.sadd(keys.queuesToRelay(), concertId);
    await this.redis.srem(keys.queues(), concertId);
    const { waiting, active } = await this.count(concertId);
    if (waiting + active > 0) await this.redis.sadd(keys.queues(), concertId);
  }

  /** How many wait in each of these queues. */
  async waiting(concertIds: readonly string[]): Promise<number[]> {
    return Promise.all(concertIds.map((concertId) => this.redis.zcard(keys.queueWaiting(concertId))));
  }

  async count(concertId: string): Promise<{ waiting: number; active: number }> {
    const [waiting, active] = await Promise.all([this.redis.zcard(keys.queueWaiting(concertId)), this.redis.zcard(keys.queueActive(concertId))]);
    return { waiting, active };
  }

  /** The one place where a queue is found lost. The script has done nothing then. */
  async #run<Reply>(script: Script<Reply>, concertId: string, names: readonly string[], args: readonly (string | number)[]): Promise<Reply> {
    for (let recoveries = 0; recoveries < RECOVERIES_MAX; recoveries += 1) {
      const run = await this.serverRun.current();
      try {
        return await script.run(this.redis, names, [run, ...args]);
      } catch (error) {
        if (!(error instanceof Error) || !error.message.includes(UNREADY)) throw error;
      }
      await this.recover(concertId);
    }
    throw serviceUnavailable();
  }
}

export async function* activePlacesOf(redis: Redis, concertId: string): AsyncIterable<Place[]> {
  let cursor = '0';
  do {
    const [next, pairs] = await redis.hscan(keys.queuePlaces(concertId), cursor, 'COUNT', QUEUE_BATCH);
    cursor = next;
    yield placesOf(pairs);
  } while (cursor !== '0');
}

type QueueKey = 'Waiting' | 'Active' | 'Seen' | 'Places' | 'Attempts' | 'State' | 'Admissions' | 'Events' | 'Moves';
const ofQueue = (concertId: string, ...names: QueueKey[]): string[] => names.map((name) => keys[`queue${name}`](concertId));

const flat = (places: readonly Place[]): (string | number)[] => places.flatMap(({ userId, place }) => [userId, place]);

function viewOf([waiting, interval, seats, sinceAdmission, full, admissions, epoch, version]: ViewReply): QueueView {
  return {
    waiting,
    intervalMs: Number(interval),
    seatsMayRemain: seats === '1',
    sinceAdmissionMs: sinceAdmission < 0 ? null : sinceAdmission,
    full: full === '1',
    admissions: admissions === '' ? [] : admissions.split(',').map(Number),
    epoch: Number(epoch),
    version: Number(version),
  };
}

function placesOf(pairs: readonly string[]): Place[] {
  const places: Place[] = [];
  for (let index = 0; index < pairs.length; index += 2) places.push({ userId: pairs[index]!, place: Number(pairs[index + 1]) });
  return places;
}
