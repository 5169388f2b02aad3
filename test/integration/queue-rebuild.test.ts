import type { Client } from 'graphql-ws';
import { withDeadline } from '../../src/domain/deadline.js';
import { PLACES_PER_EPOCH } from '../../src/domain/queue.js';
import { keys } from '../../src/redis/keys.js';
import { QueueRecoveryStore, type Claim, type RestoredPlace } from '../../src/redis/queue-recovery-store.js';
import { QueueRecovery } from '../../src/services/queue-recovery.js';
import { WatchQueuePositionDocument } from '../graphql/operations.js';
import type { Buyer } from '../support/builder.js';
import { websocketClient } from '../support/client.js';
import { collect } from '../support/collect.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { queueOf, sequenceOf } from '../support/queue.js';
import { counted, only, saleOf } from '../support/sale.js';

/** What a waiting room is again after Redis has lost everything: the old order, without anyone admitted twice. */

const GRACE_MS = 60_000;

let frontrow: Frontrow;
let queue: ReturnType<typeof queueOf>;
const clients: Client[] = [];
beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2, env: { QUEUE_ADMIT_COUNT: '2', QUEUE_REBUILD_GRACE_MS: String(GRACE_MS) } });
  queue = queueOf(frontrow);
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.dispose()));
  await queue.forgetAll();
});
afterAll(() => frontrow.stop());

/** This file has a logical Redis of its own. */
const loseRedis = () => frontrow.app.redis.flushdb();
const withToken = (buyer: Buyer, queueToken: string | undefined) => ({ ...buyer, ...(queueToken && { queueToken }) });
const idsOf = (buyers: readonly Buyer[]) => buyers.map(({ id }) => id);
const epochsOf = async (concertId: string): Promise<number> =>
  (await frontrow.app.transactions.fork().execute<{ next: number }[]>('select next_queue_epoch as next from concert where id = ?', [concertId]))[0]!.next;

function watch(buyer: Buyer, concertId: string, instance: number) {
  const client = websocketClient(frontrow.client(instance).url, buyer);
  clients.push(client);
  return collect(client, WatchQueuePositionDocument, { concertId });
}

/** So many in line; the first `active` have a pass. A tick has seen them all. */
async function line(count: number, active = 0) {
  const concert = await frontrow.build.concert();
  await queue.setPolicy(concert.id, { admitCount: 100, activeMax: active });
  const buyers = await frontrow.build.buyers(count);
  const tokens = await queue.joinInTurn(buyers, concert.id);
  await queue.tick();
  return { concert, buyers, tokens };
}

describe('who is connected', () => {
  test('Q10: watchers on two instances are back in the old order, passes with their end, without any action of a client', async () => {
    const { concert, buyers } = await line(7, 2);
    const watched = buyers.map((buyer, index) => watch(buyer, concert.id, index % 2));
    const first = await Promise.all(watched.map((one) => one.until(() => true)));
    const [newcomer] = await frontrow.build.buyers(1);
    await loseRedis();
    await queue.tick();
    await eventually(async () => (await queue.waitingIds(concert.id)).length === 5, 'the places to be back');
    expect(await queue.waitingIds(concert.id)).toEqual(idsOf(buyers.slice(2)));
    expect(new Set(await queue.activeIds(concert.id))).toEqual(new Set(idsOf(buyers.slice(0, 2))));
    const { expiresAt } = (await queue.poll(buyers[0]!, concert.id))!;
    expect(Math.abs(Date.parse(expiresAt!) - Date.parse(first[0]!.queuePosition.expiresAt!))).toBeLessThan(1500);
    expect((await queue.join(newcomer!, concert.id)).position).toMatchObject({ status: 'WAITING', position: 6 });
    await queue.setPolicy(concert.id, { activeMax: 5 });
    await queue.endPause(concert.id);
    await queue.tick();
    await Promise.all(watched.slice(2, 5).map((one) => one.until(({ queuePosition }) => queuePosition.status === 'ACTIVE')));
    expect(await queue.waitingIds(concert.id)).toEqual([...idsOf(buyers.slice(5)), newcomer!.id]);
    for (const one of watched) expect(one.messages.map(({ queuePosition }) => queuePosition.status)).not.toContain('EXPIRED');
  });

  test('Q10: nobody is told a position before all watchers of the instance are back', async () => {
    const { concert, buyers } = await line(4);
    const watched = buyers.map((buyer) => watch(buyer, concert.id, 0));
    await Promise.all(watched.map((one) => one.until(() => true)));
    await loseRedis();
    await queue.tick(1);
    await eventually(async () => (await queue.waitingIds(concert.id)).length === 4, 'the places to be back');
    await queue.leave(buyers[0]!, concert.id);
    await queue.tick(1);
    await Promise.all(watched.slice(1).map((one, index) => one.until(({ queuePosition }) => queuePosition.position === index + 1)));
    expect(watched.slice(1).map((one) => one.messages.map(({ queuePosition }) => queuePosition.position))).toEqual([[2, 1], [3, 2], [4, 3]]);
  });
});

describe('who holds a token', () => {
  test('Q10: joins, polls and looks at the seats bring places back in the old order, whoever comes first; newcomers stand behind', async () => {
    const { concert, buyers, tokens } = await line(6);
    const [early, late] = await frontrow.build.buyers(2);
    await loseRedis();
    await queue.join(early!, concert.id);
    expect(await queue.seatsCode(buyers[5]!, tokens[5], concert.scheduleId)).toBe('QUEUE_TOKEN_WAITING');
    for (const index of [3, 0, 4]) {
      const again = await queue.join(withToken(buyers[index]!, tokens[index]), concert.id, index % 2);
      expect(sequenceOf(again.token)).toBe(index + 1);
      expect(again.position.status).toBe('WAITING');
    }
    for (const index of [2, 1]) expect((await queue.poll(withToken(buyers[index]!, tokens[index]), concert.id, index % 2))!.status).toBe('WAITING');
    await queue.join(late!, concert.id);
    expect(await queue.waitingIds(concert.id)).toEqual([...idsOf(buyers), early!.id, late!.id]);
  });

  test('Q10: control: without their tokens they stand as they come', async () => {
    const { concert, buyers } = await line(4);
    await loseRedis();
    for (const buyer of buyers.toReversed()) await queue.join(buyer, concert.id);
    expect(await queue.waitingIds(concert.id)).toEqual(idsOf(buyers.toReversed()));
  });

  test('Q10: who joined without the token is moved to the old place by joining with it, and the newer one is gone for good', async () => {
    const { concert, buyers, tokens } = await line(2);
    const [first, second] = buyers;
    await loseRedis();
    const newer = [await queue.join(second!, concert.id), await queue.join(first!, concert.id)].map(({ token }) => token);
    expect(await queue.waitingIds(concert.id)).toEqual([second!.id, first!.id]);
    // Only a join moves: the others leave the newer place.
    expect((await queue.poll(withToken(first!, tokens[0]), concert.id))!.position).toBe(2);
    const moved = await queue.join(withToken(first!, tokens[0]), concert.id);
    expect([moved.position.position, sequenceOf(moved.token)]).toEqual([1, 1]);
    await queue.leave(first!, concert.id);
    await loseRedis();
    for (const token of [newer[1], tokens[0], moved.token]) expect(await queue.poll(withToken(first!, token), concert.id)).toMatchObject({ status: 'EXPIRED' });
    expect(await queue.seatsCode(first!, newer[1], concert.scheduleId)).toBe('QUEUE_TOKEN_EXPIRED');
    expect(await queue.waitingIds(concert.id)).toEqual([]);
  });

  test('Q10: one who was admitted at a newer place does not come back at the older one', async () => {
    const { concert, buyers, tokens } = await line(1);
    await loseRedis();
    await queue.join(buyers[0]!, concert.id);
    await queue.setPolicy(concert.id, { activeMax: 5 });
    await queue.tick();
    await queue.endPause(concert.id);
    await queue.tick();
    expect((await queue.poll(buyers[0]!, concert.id))!.status).toBe('ACTIVE');
    await queue.agePass(concert.id, buyers[0]!.id, 3_600_000);
    await queue.tick();
    await loseRedis();
    expect((await queue.poll(withToken(buyers[0]!, tokens[0]), concert.id))!.status).toBe('EXPIRED');
    expect(await queue.waitingIds(concert.id)).toEqual([]);
  });

  test.each([{ by: 'its admission' }, { by: 'the heartbeat, after the worker that admitted died' }])(
    'Q10: of two places that one user was given, Redis being lost after each, one is admitted (noted by $by)',
    async ({ by }) => {
      const { concert, buyers, tokens } = await line(1);
      const [buyer] = buyers;
      await loseRedis();
      const { token: newer } = await queue.join(buyer!, concert.id);
      await loseRedis();
      // Nobody knows of the newer place now, so that it is not given up.
      expect(sequenceOf((await queue.join(withToken(buyer!, tokens[0]), concert.id)).token)).toBe(1);
      await queue.setPolicy(concert.id, { activeMax: 5 });
      await queue.endPause(concert.id);
      await queue.tick();
      expect((await queue.poll(buyer!, concert.id))!.status).toBe('ACTIVE');
      if (by !== 'its admission') {
        await frontrow.app.transactions.fork().execute(
          'update queue_pass set admitted_at = null, admitted_epoch = null, active_count = null, active_max = null where concert_id = ?',
          [concert.id],
        );
        await frontrow.app.redis.hdel(keys.queueState(concert.id), 'heartbeat_at');
        await queue.tick();
      }
      await queue.agePass(concert.id, buyer!.id, 3_600_000);
      await queue.tick();
      expect((await queue.poll(withToken(buyer!, newer), concert.id))!.status).toBe('EXPIRED');
      expect(await queue.seatsCode(buyer!, newer, concert.scheduleId)).toBe('QUEUE_TOKEN_EXPIRED');
      await queue.ageInterval(concert.id, 10_000);
      await queue.tick();
      expect((await queue.passesOf(concert.id)).map(({ place, admittedEpoch, endedBy }) => ({ place, admittedEpoch, endedBy }))).toEqual([
        { place: 1, admittedEpoch: (await epochsOf(concert.id)) - 1, endedBy: 'TIME' },
      ]);
      // The line is open to them as to any newcomer.
      const anew = await queue.join(withToken(buyer!, newer), concert.id);
      expect((await frontrow.app.tokens.verifyQueue(anew.token))!.place).toBe(((await epochsOf(concert.id)) - 1) * PLACES_PER_EPOCH + 1);
    },
  );

  test('Q10: a crowd that finds the line lost does not fail with the one of them whose time is over', async () => {
    const { concert, buyers, tokens } = await line(2);
    const { queue: service } = frontrow.app.services;
    const [late, inTime] = await Promise.all(buyers.map(async (buyer) => (await frontrow.app.tokens.verifyAccess(buyer.accessToken))!));
    await loseRedis();
    const first = withDeadline(0, () => service.position(late!, concert.id)).catch((error: unknown) => error);
    expect(await service.position(inTime!, concert.id, tokens[1])).toMatchObject({ status: 'WAITING', position: 1 });
    expect(await first).toBeNull();
  });

  test('Q10: a token of another user or concert brings nothing back, and none a place of the present epoch', async () => {
    const { concert, buyers, tokens } = await line(2);
    await loseRedis();
    expect(await queue.poll(withToken(buyers[1]!, tokens[0]), concert.id)).toBeNull();
    const { token } = await queue.join(buyers[0]!, concert.id);
    await queue.leave(buyers[0]!, concert.id);
    await frontrow.app.redis.del(keys.queueEnded(concert.id, buyers[0]!.id));
    await frontrow.app.transactions.fork().execute('delete from queue_pass where concert_id = ?', [concert.id]);
    expect(await queue.poll(withToken(buyers[0]!, token), concert.id)).toBeNull();
    expect(await queue.leave(withToken(buyers[1]!, tokens[1]), concert.id)).toBe(true);
    expect((await queue.poll(withToken(buyers[1]!, tokens[1]), concert.id))!.status).toBe('EXPIRED');
  });
});

describe('what had ended', () => {
  test('Q10: open passes are ACTIVE again, paid, left, absent and timed-out places are not, and each has one row', async () => {
    const { concert, buyers, tokens } = await line(6, 4);
    const [paying, leaving, late, open, absent, quitter] = buyers;
    await frontrow.app.transactions.fork().execute('update wallet set balance = 0');
    const sale = saleOf(frontrow);
    await sale.charge(paying!, 50_000, 'for the seat');
    const admitted = { ...paying!, queueToken: tokens[0]! };
    only(await sale.pay(admitted, (await sale.hold(admitted, concert.scheduleId, [1])).id), 'Payment');
    await queue.leave(leaving!, concert.id);
    await queue.leave(quitter!, concert.id);
    await queue.agePass(concert.id, late!.id, 3_600_000);
    await queue.ageSight(concert.id, absent!.id, 3_600_000);
    await queue.setPolicy(concert.id, { activeMax: 0 });
    await queue.tick();
    await loseRedis();
    const statuses = await Promise.all(buyers.map((buyer, index) => queue.poll(withToken(buyer, tokens[index]), concert.id)));
    expect(statuses.map((position) => position?.status)).toEqual(['COMPLETED', 'EXPIRED', 'EXPIRED', 'ACTIVE', 'EXPIRED', 'EXPIRED']);
    expect(await queue.seatsCode(open!, tokens[3], concert.scheduleId)).toBeUndefined();
    await queue.setPolicy(concert.id, { activeMax: 100 });
    await queue.endPause(concert.id);
    await queue.tick();
    expect(await queue.activeIds(concert.id)).toEqual([open!.id]);
    expect((await queue.passesOf(concert.id)).map((pass) => pass.endedBy)).toEqual(['PAID', 'LEFT', 'TIME', null, 'ABSENT', 'LEFT']);
  });

  test('Q10: a pass that was written and not yet handed over is one pass', async () => {
    const { concert, buyers } = await line(2);
    await frontrow.app.transactions.fork().execute('insert into queue_pass (concert_id, user_id, place, expires_at) values (?, ?, 1, sysdate(3) + interval 5 minute)', [concert.id, buyers[0]!.id]);
    await loseRedis();
    await queue.tick();
    expect(await queue.activeIds(concert.id)).toEqual([buyers[0]!.id]);
    expect((await queue.passesOf(concert.id)).map((pass) => pass.admittedAt === null)).toEqual([false]);
  });

  test('Q10: a place that the rows know as ended is not admitted once more, though Redis has it waiting', async () => {
    const { concert, buyers } = await line(3);
    await frontrow.app.transactions.fork().execute(
      "insert into queue_pass (concert_id, user_id, place, admitted_at, expires_at, ended_at, ended_by) values (?, ?, 1, sysdate(3), sysdate(3), sysdate(3), 'TIME')",
      [concert.id, buyers[0]!.id],
    );
    await queue.setPolicy(concert.id, { activeMax: 2 });
    await queue.tick();
    await queue.tick();
    expect(new Set(await queue.activeIds(concert.id))).toEqual(new Set(idsOf(buyers.slice(1))));
    expect((await queue.poll(buyers[0]!, concert.id))!.status).toBe('EXPIRED');
  });

  test('Q10: one who was admitted at a newer place is not admitted at the older one, though an old dump of Redis has it waiting', async () => {
    const { concert, buyers } = await line(3);
    await frontrow.app.transactions.fork().execute('update concert set next_queue_epoch = next_queue_epoch + 1 where id = ?', [concert.id]);
    await frontrow.app.transactions.fork().execute(
      "insert into queue_pass (concert_id, user_id, place, admitted_at, expires_at, ended_at, ended_by) values (?, ?, ?, sysdate(3), sysdate(3), sysdate(3), 'TIME')",
      [concert.id, buyers[0]!.id, PLACES_PER_EPOCH + 1],
    );
    await queue.setPolicy(concert.id, { activeMax: 2 });
    await queue.tick();
    await queue.tick();
    expect(new Set(await queue.activeIds(concert.id))).toEqual(new Set(idsOf(buyers.slice(1))));
    expect((await queue.poll(buyers[0]!, concert.id))!.status).toBe('EXPIRED');
    const passes = (await queue.passesOf(concert.id)).filter(({ userId }) => userId === buyers[0]!.id);
    expect(passes.map(({ endedBy, admittedAt }) => ({ endedBy, admitted: admittedAt !== null }))).toEqual([{ endedBy: 'LEFT', admitted: false }, { endedBy: 'TIME', admitted: true }]);
  });
});

describe('the pause', () => {
  test('Q10: admission pauses for the grace and promises nothing, then goes on in the old order; who returns late stands before all not yet admitted', async () => {
    const { concert, buyers, tokens } = await line(5);
    await queue.setPolicy(concert.id, { admitCount: 2, activeMax: 100 });
    await loseRedis();
    const [newcomer] = await frontrow.build.buyers(1);
    await queue.join(newcomer!, concert.id);
    for (const index of [4, 3, 1]) await queue.poll(withToken(buyers[index]!, tokens[index]), concert.id);
    await queue.tick();
    await queue.tick();
    const [seconds] = (await frontrow.app.redis.time()) as unknown as [string, string];
    const until = Number(await frontrow.app.redis.hget(keys.queueState(concert.id), 'rebuild_until'));
    expect(Math.abs(until - Number(seconds) * 1000 - GRACE_MS)).toBeLessThan(5000);
    expect(await queue.activeIds(concert.id)).toEqual([]);
    expect((await queue.poll(newcomer!, concert.id))!).toMatchObject({ position: 4, estimatedWaitSeconds: null });
    await queue.endPause(concert.id);
    await queue.tick();
    expect(new Set(await queue.activeIds(concert.id))).toEqual(new Set(idsOf([buyers[1]!, buyers[3]!])));
    await queue.poll(withToken(buyers[2]!, tokens[2]), concert.id);
    await queue.join(withToken(buyers[0]!, tokens[0]), concert.id);
    expect(await queue.waitingIds(concert.id)).toEqual([...idsOf([buyers[0]!, buyers[2]!, buyers[4]!]), newcomer!.id]);
  });

  test('Q10: a queue that nobody was in does not pause', async () => {
    const { concert, buyers } = await line(1, 1);
    await queue.leave(buyers[0]!, concert.id);
    await queue.ageInterval(concert.id, 20_000);
    await queue.tick();
    await queue.ageInterval(concert.id, 20_000);
    await queue.tick();
    await loseRedis();
    const next = await frontrow.build.buyer();
    await queue.join(next, concert.id);
    await queue.tick();
    expect(await queue.activeIds(concert.id)).toEqual([next.id]);
  });

  test('Q10: a queue lost before its first tick pauses as well, and the tick finds it by its row', async () => {
    const concert = await frontrow.build.concert();
    const buyer = await frontrow.build.buyer();
    const { token } = await queue.join(buyer, concert.id);
    await loseRedis();
    await queue.tick();
    expect(Number(await frontrow.app.redis.hget(keys.queueState(concert.id), 'rebuild_until'))).toBeGreaterThan(0);
    await queue.poll(withToken(buyer, token), concert.id);
    await queue.tick();
    expect(await queue.activeIds(concert.id)).toEqual([]);
    await queue.endPause(concert.id);
    await queue.tick();
    expect(await queue.activeIds(concert.id)).toEqual([buyer.id]);
  });
});

describe('the recovery', () => {
  test('Q10: a crowd that finds the queue lost on two instances recovers it once', async () => {
    const { concert, buyers, tokens } = await line(40);
    const before = await epochsOf(concert.id);
    const rebuilt = await counted(frontrow, 'frontrow_queue_rebuilt_total', 'lost');
    await loseRedis();
    await Promise.all(buyers.map((buyer, index) => queue.poll(withToken(buyer, tokens[index]), concert.id, index % 2)));
    expect(await queue.waitingIds(concert.id)).toEqual(idsOf(buyers));
    expect(await epochsOf(concert.id)).toBe(before + 1);
    expect(await counted(frontrow, 'frontrow_queue_rebuilt_total', 'lost')).toBe(rebuilt + 1);
  });

  test('Q10: a recovery whose Redis is lost in the middle begins anew, and one whose process died is taken over', async () => {
    const { concert, buyers, tokens } = await line(3, 1);
    const { redis, redisRun, transactions, pubsub, metrics, config, logger } = frontrow.app;
    let losses = 0;
    class Losing extends QueueRecoveryStore {
      override async restore(concertId: string, claim: Claim, places: readonly RestoredPlace[]): Promise<boolean> {
        const done = await super.restore(concertId, claim, places);
        if (losses++ === 0) await loseRedis();
        return done;
      }
    }
    await loseRedis();
    await new QueueRecovery(new Losing(redis, redisRun), transactions, pubsub, metrics, config.queue, logger).recover(concert.id);
    expect(losses).toBe(2);
    expect(await queue.activeIds(concert.id)).toEqual([buyers[0]!.id]);
    await loseRedis();
    const dead = (await new QueueRecoveryStore(redis, redisRun).claim(concert.id)) as Claim;
    const waiting = queue.poll(withToken(buyers[1]!, tokens[1]), concert.id);
    // As if its time had passed.
    await redis.hset(keys.queueState(concert.id), 'claim_until', 1);
    expect((await waiting)!.status).toBe('WAITING');
    const stale = new QueueRecoveryStore(redis, redisRun);
    expect(await stale.restore(concert.id, dead, [{ userId: buyers[2]!.id, place: 3, status: 'ACTIVE', remainingMs: 60_000 }])).toBe(false);
    expect(await stale.finish(concert.id, dead, 99, 0, 0)).toBeNull();
    expect(await queue.activeIds(concert.id)).toEqual([buyers[0]!.id]);
    const [fresh] = await frontrow.build.buyers(1);
    const place = (await frontrow.app.tokens.verifyQueue((await queue.join(fresh!, concert.id)).token))!.place;
    expect(place).toBe(((await epochsOf(concert.id)) - 1) * PLACES_PER_EPOCH + 1);
  });
});
