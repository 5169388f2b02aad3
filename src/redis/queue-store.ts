import type { Redis } from 'ioredis';
import { ESTIMATE_INTERVALS, PLACES_PER_EPOCH, type Pace, type Place, type QueuePolicy } from '../domain/queue.js';
import type { QueueStatus } from '../domain/states.js';
import { keys } from './keys.js';
import { Script } from './script.js';

/** A user is waiting or active or neither, never both: every change of it is one script, and so is every answer about it. */

/** How many users one script handles at most, so that Redis is never busy long with one queue. */
export const QUEUE_BATCH = 500;

/** A queue at one instant. */
export interface QueueView extends Pace {
  waiting: number;
  seatsMayRemain: boolean;
}

/** A user in it; null if no place is known. */
export type Standing = { status: QueueStatus; rank: number; passEndsAt: number } | null;

export type JoinOutcome = { status: 'JOINED' | 'WAITING' | 'ACTIVE'; place: number } | 'CLOSED' | 'UNCOUNTED';
export type PassOutcome = { status: 'ACTIVE' | 'LIMITED' | 'WAITING' | 'ENDED'; remainingMs: number };
/** PAID ends an ACTIVE pass, TIME one whose end has come, ABSENT the place of a waiter not seen for the grace. */
export type EndCause = 'PAID' | 'TIME' | 'ABSENT';
export type AdmitOutcome = 'ADMITTED' | 'ALREADY' | 'WAITING' | 'GONE';

export interface Look {
  idle: boolean;
  moved: boolean;
  heartbeatDue: boolean;
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

const joinScript = new Script<[string, string?]>('queue-join');
const positionsScript = new Script<[[number, string, string, number, string, string], ...[string, number, string][]]>('queue-positions');
const passScript = new Script<[PassOutcome['status'], number?]>('queue-pass');
const leaveScript = new Script<['WAITING' | 'ACTIVE', string] | ['NONE']>('queue-leave');
const endScript = new Script<string[]>('queue-end');
const lookScript = new Script<[string[], string[], string[]]>('queue-look');
const proposeScript = new Script<string[] | [string, string | number][]>('queue-propose');
const admitScript = new Script<[...AdmitOutcome[], number]>('queue-admit');

const flag = (value: boolean): string => (value ? '1' : '0');

export class QueueStore {
  constructor(private readonly redis: Redis) {}

  async join(concertId: string, userId: string, mayJoin: boolean): Promise<JoinOutcome> {
    const names = [...ofQueue(concertId, 'Waiting', 'Active', 'Seen', 'Places', 'State'), keys.queueEnded(concertId, userId), keys.queueEvents(concertId)];
    const [status, place] = await joinScript.run(this.redis, names, [userId, flag(mayJoin), PLACES_PER_EPOCH]);
    if (status === 'CLOSED' || status === 'UNCOUNTED') return status;
    // Only now: whoever removes the concert from the set looks for people after it, and finds this one.
    await this.redis.sadd(keys.queues(), concertId);
    return { status: status as 'JOINED', place: Number(place) };
  }

  /** The queue counts its places in this epoch, unless it has one already. */
  async beginEpoch(concertId: string, epoch: number): Promise<void> {
    await this.redis.hsetnx(keys.queueState(concertId), 'epoch', epoch);
  }

  async positions(concertId: string, userIds: readonly string[], present: boolean): Promise<{ view: QueueView; standings: Standing[] }> {
    const names = [
      ...ofQueue(concertId, 'Waiting', 'Active', 'Seen', 'State', 'Admissions'),
      ...userIds.map((userId) => keys.queueEnded(concertId, userId)),
    ];
    const [[waiting, interval, seats, sinceAdmission, full, admissions], ...users] = await positionsScript.run(this.redis, names, [flag(present), ...userIds]);
    return {
      view: {
        waiting,
        intervalMs: Number(interval),
        seatsMayRemain: seats === '1',
        sinceAdmissionMs: sinceAdmission < 0 ? null : sinceAdmission,
        full: full === '1',
        admissions: admissions === '' ? [] : admissions.split(',').map(Number),
      },
      standings: users.map(([status, rank, passEnd]) =>
        status === 'NONE' ? null : { status: status as QueueStatus, rank, passEndsAt: Number(passEnd) },
      ),
    };
  }

  async checkPass(concertId: string, { userId, place }: Place, countsAttempt: boolean, attemptsMax: number): Promise<PassOutcome> {
    const names = ofQueue(concertId, 'Waiting', 'Active', 'Places', 'Attempts');
    const [status, remainingMs] = await passScript.run(this.redis, names, [userId, place, flag(countsAttempt), attemptsMax]);
    return { status, remainingMs: remainingMs ?? 0 };
  }

  /** The place given up, null if there was none. */
  async leave(concertId: string, userId: string, keptMs: number): Promise<{ wasActive: boolean; place: number } | null> {
    const names = [...ofQueue(concertId, 'Waiting', 'Active', 'Seen', 'Places', 'Attempts', 'State'), keys.queueEnded(concertId, userId), keys.queueEvents(concertId)];
    const [was, place] = await leaveScript.run(this.redis, names, [userId, keptMs]);
    return was === 'NONE' ? null : { wasActive: was === 'ACTIVE', place: Number(place) };
  }

  /** Those of the users whose place ended by it. */
  async end(concertId: string, cause: EndCause, places: readonly Place[], keptMs: number, absenceGraceMs: number): Promise<string[]> {
    if (places.length === 0) return [];
    const names = [
      ...ofQueue(concertId, 'Waiting', 'Active', 'Seen', 'Places', 'Attempts', 'State', 'Events'),
      ...places.map(({ userId }) => keys.queueEnded(concertId, userId)),
    ];
    return endScript.run(this.redis, names, [cause, keptMs, absenceGraceMs, ...flat(places)]);
  }

  async look(concertId: string, { outageMs, absenceGraceMs, heartbeatMs, seatsMayRemain, saleIsOver }: LookOptions): Promise<Look> {
    const names = ofQueue(concertId, 'Waiting', 'Active', 'Seen', 'Places', 'State', 'Admissions');
    const options = [outageMs, absenceGraceMs, heartbeatMs, QUEUE_BATCH, flag(seatsMayRemain), flag(saleIsOver)];
    const [[idle, moved, heartbeat], overdue, absent] = await lookScript.run(this.redis, names, options);
    return { idle: idle === '1', moved: moved === '1', heartbeatDue: heartbeat === '1', overdue: placesOf(overdue), absent: placesOf(absent) };
  }

  async propose(concertId: string, policy: QueuePolicy): Promise<Place[]> {
    const names = ofQueue(concertId, 'Waiting', 'Active', 'State', 'Admissions');
    const reply = await proposeScript.run(this.redis, names, [policy.admitCount, policy.admitIntervalMs, policy.activeMax, QUEUE_BATCH, ESTIMATE_INTERVALS]);
    return placesOf(reply.flat().map(String));
  }

  /** What became of each, and how many are active with them. */
  async admit(concertId: string, policy: QueuePolicy, passTtlMs: number, places: readonly Place[]): Promise<{ outcomes: AdmitOutcome[]; active: number }> {
    const names = ofQueue(concertId, 'Waiting', 'Active', 'Seen', 'Places', 'Attempts', 'State', 'Events');
    const reply = await admitScript.run(this.redis, names, [policy.admitCount, policy.activeMax, passTtlMs, ...flat(places)]);
    return { outcomes: reply.slice(0, -1) as AdmitOutcome[], active: Number(reply.at(-1)) };
  }

  /** The places that are ACTIVE, in parts; each is to be judged again by what is done with it. */
  async *activePlaces(concertId: string): AsyncIterable<Place[]> {
    let cursor = '0';
    do {
      const [next, pairs] = await this.redis.hscan(keys.queuePlaces(concertId), cursor, 'COUNT', QUEUE_BATCH);
      cursor = next;
      yield placesOf(pairs);
    } while (cursor !== '0');
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

  async count(concertId: string): Promise<{ waiting: number; active: number }> {
    const [waiting, active] = await Promise.all([this.redis.zcard(keys.queueWaiting(concertId)), this.redis.zcard(keys.queueActive(concertId))]);
    return { waiting, active };
  }
}

type QueueKey = 'Waiting' | 'Active' | 'Seen' | 'Places' | 'Attempts' | 'State' | 'Admissions' | 'Events';
const ofQueue = (concertId: string, ...names: QueueKey[]): string[] => names.map((name) => keys[`queue${name}`](concertId));

const flat = (places: readonly Place[]): (string | number)[] => places.flatMap(({ userId, place }) => [userId, place]);

function placesOf(pairs: readonly string[]): Place[] {
  const places: Place[] = [];
  for (let index = 0; index < pairs.length; index += 2) places.push({ userId: pairs[index]!, place: Number(pairs[index + 1]) });
  return places;
}
