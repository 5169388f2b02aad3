import { Concert } from '../../src/database/entities/concert.entity.js';
import { QueuePass } from '../../src/database/entities/queue-pass.entity.js';
import { PLACES_PER_EPOCH, type QueuePolicy } from '../../src/domain/queue.js';
import { keys } from '../../src/redis/keys.js';
import { JoinQueueDocument, LeaveQueueDocument, PollQueuePositionDocument, SeatsDocument } from '../graphql/operations.js';
import type { Buyer } from './builder.js';
import { codeOf } from './client.js';
import type { Frontrow } from './frontrow.js';
import { dataOf } from './sale.js';

/** The steps of the waiting room over HTTP, and ways to move its clocks. */
export function queueOf(frontrow: Frontrow) {
  const { redis } = frontrow.app;
  const joinQueue = (buyer: Buyer, concertId: string, instance = 0) => frontrow.client(instance).run(JoinQueueDocument, { concertId }, buyer);
  const join = async (buyer: Buyer, concertId: string, instance = 0) => dataOf(await joinQueue(buyer, concertId, instance)).joinQueue;
  return {
    joinQueue,
    join,
    /** One after the other, so that their order is known. */
    joinInTurn: async (buyers: Buyer[], concertId: string) => {
      const tokens: string[] = [];
      for (const buyer of buyers) tokens.push((await join(buyer, concertId)).token);
      return tokens;
    },
    leave: async (buyer: Buyer, concertId: string, instance = 0) => dataOf(await frontrow.client(instance).run(LeaveQueueDocument, { concertId }, buyer)).leaveQueue,
    poll: async (buyer: Buyer, concertId: string, instance = 0) =>
      dataOf(await frontrow.client(instance).run(PollQueuePositionDocument, { concertId }, buyer)).queuePosition,
    /** What the guard says to a look at the seats; undefined when it lets pass. */
    seatsCode: async (buyer: Buyer, queueToken: string | undefined, scheduleId: string) =>
      codeOf(await frontrow.client().run(SeatsDocument, { scheduleId }, { accessToken: buyer.accessToken, ...(queueToken ? { queueToken } : {}) })),
    /** The admission job looks after none of the queues any more: what earlier tests left takes no part in the ticks of the next. */
    forgetAll: async () => {
      await redis.del(keys.queues());
      await frontrow.app.transactions.fork().execute('update queue_line set looked_after = 0');
    },
    tick: (instance = 0) => frontrow.instances[instance]!.app.services.queue.tick(),

    setPolicy: (concertId: string, { admitCount, admitIntervalMs, activeMax }: Partial<QueuePolicy>) =>
      frontrow.app.transactions.fork().nativeUpdate(Concert, { id: concertId }, {
        ...(admitCount === undefined ? {} : { queueAdmitCount: admitCount }),
        ...(admitIntervalMs === undefined ? {} : { queueAdmitIntervalMs: admitIntervalMs }),
        ...(activeMax === undefined ? {} : { queueActiveMax: activeMax }),
      }),
    passesOf: (concertId: string) => frontrow.app.transactions.fork().find(QueuePass, { concertId }, { orderBy: { place: 'asc' } }),
    activeIds: (concertId: string) => redis.zrange(keys.queueActive(concertId), '0', '-1'),
    waitingIds: (concertId: string) => redis.zrange(keys.queueWaiting(concertId), '0', '-1'),

    /** As if the pass had been given `ms` earlier. */
    agePass: async (concertId: string, userId: string, ms: number) => {
      await redis.zincrby(keys.queueActive(concertId), -ms, userId);
      await frontrow.app.transactions.fork().execute(
        'update queue_pass set expires_at = expires_at - interval ? microsecond where concert_id = ? and user_id = ?',
        [ms * 1000, concertId, userId],
      );
    },
    /** As if the waiter had last been seen `ms` earlier, while the ticks went on. */
    ageSight: async (concertId: string, userId: string, ms: number) => {
      await redis.zincrby(keys.queueSeen(concertId), -ms, userId);
      await redis.hincrby(keys.queueState(concertId), 'grace_from', -ms);
    },
    /** As if the current interval had begun `ms` earlier. */
    ageInterval: (concertId: string, ms: number) => redis.hincrby(keys.queueState(concertId), 'interval_at', -ms),
    /** As if the time for places to come back had passed. */
    endPause: (concertId: string) => redis.hset(keys.queueState(concertId), 'rebuild_until', 1),
    /** As if the last admission had been `ms` earlier. */
    ageAdmission: (concertId: string, ms: number) => redis.hincrby(keys.queueState(concertId), 'admitted_at', -ms),
  };
}

/** The sequence in a queue token's place, read without checking the signature. */
export function sequenceOf(queueToken: string): number {
  const claims = JSON.parse(Buffer.from(queueToken.split('.')[1]!, 'base64url').toString()) as { place: number };
  return claims.place % PLACES_PER_EPOCH;
}
