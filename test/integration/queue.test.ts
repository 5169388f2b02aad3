import { codeOf } from '../support/client.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import type { BrokenOnPurpose } from '../support/invariants.js';
import { queueOf, sequenceOf } from '../support/queue.js';
import { keys } from '../../src/redis/keys.js';
import { JoinQueueDocument, LeaveQueueDocument, PollQueuePositionDocument } from '../graphql/operations.js';

const INTERVAL_MS = 10_000;
const HOUR_MS = 3_600_000;
const GRACE_MS = 300_000;
const MISSING_ID = '01890000-0000-7000-8000-000000000000';

const BROKEN: BrokenOnPurpose = { invariants: ['sold-is-confirmed', 'seats-of-date'], because: 'dates are sold out and deleted without a sale' };

let frontrow: Frontrow;
let queue: ReturnType<typeof queueOf>;
beforeAll(async () => {
  frontrow = await startFrontrow({ env: { QUEUE_ADMIT_COUNT: '2', QUEUE_ADMIT_INTERVAL_MS: String(INTERVAL_MS), QUEUE_ACTIVE_MAX: '5', QUEUE_PASS_ATTEMPTS_MAX: '3' }, brokenOnPurpose: BROKEN });
  queue = queueOf(frontrow);
});
afterAll(() => frontrow.stop());

/** Each test has a concert of its own; what earlier tests left must not take part in its ticks. */
afterEach(() => queue.forgetAll());

describe('joining', () => {
  test('Q1: a join answers with a signed token of the user and place, and joining again with the same place', async () => {
    const concert = await frontrow.build.concert();
    const [first, second] = await frontrow.build.buyers(2);
    const joined = await queue.join(first!, concert.id);
    expect(joined.position).toEqual({
      concertId: concert.id, userId: first!.id, status: 'WAITING', position: 1, waiting: 1, estimatedWaitSeconds: null, expiresAt: null, seatsMayRemain: true,
    });
    expect(await frontrow.app.tokens.verifyQueue(joined.token)).toEqual({ concertId: concert.id, userId: first!.id, place: 1 });
    await queue.join(second!, concert.id);
    const again = await queue.join(first!, concert.id);
    expect([sequenceOf(again.token), again.position.position, again.position.waiting]).toEqual([1, 1, 2]);
    expect(sequenceOf((await queue.join(second!, concert.id)).token)).toBe(2);
  });

  test('Q1: an active user who joins again keeps the pass, and after its end gets a new place at the end', async () => {
    const concert = await frontrow.build.concert();
    const [buyer, other] = await frontrow.build.buyers(2);
    await queue.join(buyer!, concert.id);
    await queue.tick();
    const active = await queue.join(buyer!, concert.id);
    expect([active.position.status, sequenceOf(active.token)]).toEqual(['ACTIVE', 1]);
    await queue.joinInTurn([other!], concert.id);
    await queue.agePass(concert.id, buyer!.id, HOUR_MS);
    expect((await queue.poll(buyer!, concert.id))!.status).toBe('EXPIRED');
    const anew = await queue.join(buyer!, concert.id);
    expect([anew.position.status, anew.position.position, sequenceOf(anew.token)]).toEqual(['WAITING', 2, 3]);
    expect(await queue.seatsCode(buyer!, active.token, concert.scheduleId)).toBe('QUEUE_TOKEN_EXPIRED');
  });

  test('a queue opens one hour before the sale, admits from the opening on and closes with the sale', async () => {
    const buyer = await frontrow.build.buyer();
    const now = Date.now();
    const early = await frontrow.build.concert({ saleOpensAt: new Date(now + HOUR_MS + 60_000) });
    const before = await frontrow.build.concert({ saleOpensAt: new Date(now + HOUR_MS - 60_000) });
    const closed = await frontrow.build.concert({ saleClosesAt: new Date(now - 1000) });
    const begun = await frontrow.build.concert({ startsAt: new Date(now - 1000) });
    const lastDeleted = await frontrow.build.concert({ dates: 2, startsAt: new Date(now - 1000) });
    await frontrow.app.transactions.fork().execute('update schedule set deleted_at = sysdate(3) where id = ?', [lastDeleted.scheduleIds[1]!]);
    const begunBeforeClosing = await frontrow.build.concert({ startsAt: new Date(now - 1000), saleClosesAt: new Date(now + HOUR_MS) });
    for (const concert of [early, closed, begun, lastDeleted, begunBeforeClosing]) {
      const answer = await queue.joinQueue(buyer, concert.id);
      expect(answer.errors![0]!.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'concertId' });
    }
    await queue.join(buyer, before.id);
    await queue.tick();
    expect((await queue.poll(buyer, before.id))!.status).toBe('WAITING');
    await frontrow.app.transactions.fork().execute('update concert set sale_opens_at = sysdate(3) where id = ?', [before.id]);
    await queue.tick();
    expect((await queue.poll(buyer, before.id))!.status).toBe('ACTIVE');
  });

  test('without a closing time a queue can be joined until the last of its dates begins', async () => {
    const [buyer, late] = await frontrow.build.buyers(2);
    const concert = await frontrow.build.concert({ dates: 3, startsAt: new Date(Date.now() + HOUR_MS) });
    const em = frontrow.app.transactions.fork();
    const begin = (dates: string[]) => em.execute('update schedule set starts_at = sysdate(3) where id in (?)', [dates]);
    await begin(concert.scheduleIds.slice(0, 2));
    expect((await queue.join(buyer!, concert.id)).position.position).toBe(1);
    await begin(concert.scheduleIds.slice(2));
    const answer = await queue.joinQueue(late!, concert.id);
    expect(answer.errors![0]!.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'concertId' });
  });

  test('Q1: who waits finds the same place by joining again, also when the opening was moved out of reach meanwhile', async () => {
    const concert = await frontrow.build.concert();
    const [ahead, buyer, late] = await frontrow.build.buyers(3);
    await queue.joinInTurn([ahead!, buyer!], concert.id);
    await frontrow.app.transactions.fork().execute('update concert set sale_opens_at = sysdate(3) + interval 2 day where id = ?', [concert.id]);
    const again = await queue.join(buyer!, concert.id);
    expect([again.position.status, again.position.position, sequenceOf(again.token)]).toEqual(['WAITING', 2, 2]);
    expect((await queue.joinQueue(late!, concert.id)).errors![0]!.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'concertId' });
  });

  test('ids that are malformed or of nothing are told apart from a queue one has not joined', async () => {
    const buyer = await frontrow.build.buyer();
    const concert = await frontrow.build.concert();
    const client = frontrow.client();
    for (const document of [JoinQueueDocument, LeaveQueueDocument, PollQueuePositionDocument]) {
      const answer = await client.run(document as typeof JoinQueueDocument, { concertId: 'seven' }, buyer);
      expect(answer.errors![0]!.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'concertId' });
    }
    expect(codeOf(await client.run(JoinQueueDocument, { concertId: MISSING_ID }, buyer))).toBe('NOT_FOUND');
    expect(codeOf(await client.run(LeaveQueueDocument, { concertId: MISSING_ID }, buyer))).toBe('NOT_FOUND');
    expect(await queue.poll(buyer, MISSING_ID)).toBeNull();
    expect(await queue.poll(buyer, concert.id)).toBeNull();
    expect(await queue.leave(buyer, concert.id)).toBe(false);
    expect(codeOf(await client.run(JoinQueueDocument, { concertId: concert.id }))).toBe('UNAUTHENTICATED');
  });
});

describe('admission', () => {
  test('Q7: N in each interval and not one more, in the order of the places, without making up for missed intervals', async () => {
    const concert = await frontrow.build.concert();
    await queue.setPolicy(concert.id, { activeMax: 100 });
    const buyers = await frontrow.build.buyers(9);
    await queue.joinInTurn(buyers, concert.id);
    const admittedAfter = async (): Promise<number> => {
      for (let ticks = 0; ticks < 3; ticks += 1) await queue.tick();
      return (await queue.activeIds(concert.id)).length;
    };
    expect(await admittedAfter()).toBe(2);
    await queue.ageInterval(concert.id, INTERVAL_MS - 5000);
    expect(await admittedAfter()).toBe(2);
    await queue.ageInterval(concert.id, 5000);
    expect(await admittedAfter()).toBe(4);
    await queue.ageInterval(concert.id, 10 * INTERVAL_MS);
    expect(await admittedAfter()).toBe(6);
    expect(await queue.waitingIds(concert.id)).toEqual(buyers.slice(6).map((buyer) => buyer.id));
    expect((await queue.passesOf(concert.id)).map((pass) => pass.userId)).toEqual(buyers.slice(0, 6).map((buyer) => buyer.id));
  });

  test('Q7: intervals stay on their grid however late a tick comes', async () => {
    const concert = await frontrow.build.concert();
    await queue.joinInTurn(await frontrow.build.buyers(3), concert.id);
    await queue.tick();
    const state = keys.queueState(concert.id);
    const begun = Number(await frontrow.app.redis.hget(state, 'interval_at'));
    await queue.ageInterval(concert.id, INTERVAL_MS * 1.7);
    await queue.tick();
    const [seconds] = (await frontrow.app.redis.time()) as unknown as [string, string];
    const next = Number(await frontrow.app.redis.hget(state, 'interval_at'));
    expect(next).toBe(begun - INTERVAL_MS * 1.7 + INTERVAL_MS);
    expect(next).toBeLessThanOrEqual(Number(seconds) * 1000 + 1000);
  });

  test('Q7: rate and maximum change while it runs; a lowered maximum stops admission and revokes nobody', async () => {
    const concert = await frontrow.build.concert();
    const buyers = await frontrow.build.buyers(10);
    await queue.joinInTurn(buyers, concert.id);
    await queue.tick();
    await queue.setPolicy(concert.id, { admitCount: 4 });
    await queue.tick();
    expect(await queue.activeIds(concert.id)).toHaveLength(4);
    await queue.setPolicy(concert.id, { activeMax: 1, admitCount: 100 });
    await queue.tick();
    expect(await queue.activeIds(concert.id)).toHaveLength(4);
    for (const buyer of buyers.slice(0, 3)) await queue.leave(buyer, concert.id);
    await queue.tick();
    expect(await queue.activeIds(concert.id)).toEqual([buyers[3]!.id]);
    await queue.setPolicy(concert.id, { activeMax: 3 });
    await queue.tick();
    expect(await queue.activeIds(concert.id)).toHaveLength(3);
    expect(await queue.waitingIds(concert.id)).toHaveLength(4);
  });

  test('Q7: a sale that is over admits nobody and promises nothing; who waits or is active finds the place by joining again', async () => {
    const concert = await frontrow.build.concert();
    const buyers = await frontrow.build.buyers(5);
    const tokens = await queue.joinInTurn(buyers, concert.id);
    await queue.tick();
    await queue.ageInterval(concert.id, INTERVAL_MS);
    await queue.tick();
    expect((await queue.poll(buyers[4]!, concert.id))!.estimatedWaitSeconds).toBe(5);
    await frontrow.app.transactions.fork().execute('update concert set sale_closes_at = sysdate(3) where id = ?', [concert.id]);
    await queue.ageInterval(concert.id, INTERVAL_MS);
    await queue.tick();
    expect(await queue.waitingIds(concert.id)).toEqual([buyers[4]!.id]);
    expect(await queue.poll(buyers[4]!, concert.id)).toMatchObject({ status: 'WAITING', position: 1, estimatedWaitSeconds: null });
    for (const [index, status] of [[4, 'WAITING'], [0, 'ACTIVE']] as const) {
      const again = await queue.join(buyers[index]!, concert.id);
      expect([again.position.status, sequenceOf(again.token)]).toEqual([status, sequenceOf(tokens[index]!)]);
    }
    for (const buyer of buyers) await queue.leave(buyer, concert.id);
    await queue.tick();
    expect(await frontrow.app.redis.smembers(keys.queues())).toEqual([]);
  });

  test('Q7: the estimate comes from the last intervals: none before the first has passed, none while admission stands still', async () => {
    const concert = await frontrow.build.concert();
    const buyers = await frontrow.build.buyers(9);
    await queue.joinInTurn(buyers, concert.id);
    await queue.tick();
    const estimate = async () => (await queue.poll(buyers[8]!, concert.id))!.estimatedWaitSeconds;
    expect(await estimate()).toBeNull();
    await queue.ageInterval(concert.id, INTERVAL_MS);
    await queue.tick();
    // Place 9 is the fifth in line now, two are admitted every ten seconds.
    expect(await estimate()).toBe(25);
    expect((await queue.poll(buyers[0]!, concert.id))!.estimatedWaitSeconds).toBeNull();
    await queue.setPolicy(concert.id, { activeMax: 4 });
    await queue.ageInterval(concert.id, INTERVAL_MS);
    await queue.ageAdmission(concert.id, INTERVAL_MS);
    await queue.tick();
    expect(await estimate()).toBeNull();
  });

  test('a queue that nobody is in any more is left alone, and looked after again when somebody joins', async () => {
    const concert = await frontrow.build.concert();
    const [first, second] = await frontrow.build.buyers(2);
    await queue.join(first!, concert.id);
    await queue.tick();
    await queue.leave(first!, concert.id);
    await queue.tick();
    expect(await frontrow.app.redis.smembers(keys.queues())).toEqual([concert.id]);
    await queue.ageInterval(concert.id, INTERVAL_MS);
    await queue.tick();
    await queue.tick();
    expect(await frontrow.app.redis.smembers(keys.queues())).toEqual([]);
    await queue.join(second!, concert.id);
    await queue.tick();
    expect(await queue.activeIds(concert.id)).toEqual([second!.id]);
    expect(await frontrow.app.services.queue.totals()).toEqual({ waiting: 0, active: 1 });
  });

  test('seatsMayRemain turns false when every seat is sold', async () => {
    const concert = await frontrow.build.concert({ seats: 2 });
    const buyer = await frontrow.build.buyer();
    await queue.join(buyer, concert.id);
    const em = frontrow.app.transactions.fork();
    await em.execute("update seat set status = 'HELD', held_until = sysdate(3) + interval 1 hour where schedule_id = ?", [concert.scheduleId]);
    await queue.tick();
    expect((await queue.poll(buyer, concert.id))!.seatsMayRemain).toBe(true);
    await em.execute("update seat set status = 'SOLD', held_until = null where schedule_id = ?", [concert.scheduleId]);
    await queue.tick();
    expect((await queue.poll(buyer, concert.id))!.seatsMayRemain).toBe(false);
  });

  test('seatsMayRemain is not remembered of a queue that nobody was in meanwhile', async () => {
    const concert = await frontrow.build.concert({ seats: 1 });
    const [first, second] = await frontrow.build.buyers(2);
    await queue.join(first!, concert.id);
    const em = frontrow.app.transactions.fork();
    await em.execute("update seat set status = 'SOLD' where schedule_id = ?", [concert.scheduleId]);
    await queue.tick();
    await queue.leave(first!, concert.id);
    await queue.ageInterval(concert.id, INTERVAL_MS);
    for (let ticks = 0; ticks < 3; ticks += 1) await queue.tick();
    expect(await frontrow.app.redis.smembers(keys.queues())).toEqual([]);
    await em.execute("update seat set status = 'AVAILABLE' where schedule_id = ?", [concert.scheduleId]);
    expect((await queue.join(second!, concert.id)).position.seatsMayRemain).toBe(true);
  });

  test('seatsMayRemain counts only dates that have not begun', async () => {
    const concert = await frontrow.build.concert({ seats: 1, dates: 2 });
    const buyer = await frontrow.build.buyer();
    await queue.join(buyer, concert.id);
    const em = frontrow.app.transactions.fork();
    await em.execute("update seat set status = 'SOLD' where schedule_id = ?", [concert.scheduleIds[1]!]);
    await queue.tick();
    expect((await queue.poll(buyer, concert.id))!.seatsMayRemain).toBe(true);
    await em.execute('update schedule set starts_at = sysdate(3) where id = ?', [concert.scheduleId]);
    await queue.tick();
    expect((await queue.poll(buyer, concert.id))!.seatsMayRemain).toBe(false);
  });
});

describe('absence', () => {
  test('Q8: the place of a leaver and of one not seen for the grace close up; one who was seen in time keeps it', async () => {
    const concert = await frontrow.build.concert();
    await queue.setPolicy(concert.id, { activeMax: 0 });
    const buyers = await frontrow.build.buyers(4);
    await queue.joinInTurn(buyers, concert.id);
    await queue.tick();
    await queue.leave(buyers[0]!, concert.id);
    await queue.ageSight(concert.id, buyers[1]!.id, GRACE_MS);
    await queue.ageSight(concert.id, buyers[2]!.id, GRACE_MS - 10_000);
    await queue.tick();
    const positions = await Promise.all(buyers.map((buyer) => queue.poll(buyer, concert.id)));
    expect(positions.map((position) => [position!.status, position!.position])).toEqual([['EXPIRED', 0], ['EXPIRED', 0], ['WAITING', 1], ['WAITING', 2]]);
    await queue.ageSight(concert.id, buyers[2]!.id, GRACE_MS - 10_000);
    await queue.tick();
    expect((await queue.poll(buyers[2]!, concert.id))!.position).toBe(1);
  });

  test('Q8: an absent waiter ahead is not admitted in the tick that ends the place', async () => {
    const concert = await frontrow.build.concert();
    await queue.setPolicy(concert.id, { activeMax: 0 });
    const buyers = await frontrow.build.buyers(3);
    await queue.joinInTurn(buyers, concert.id);
    await queue.tick();
    await queue.ageSight(concert.id, buyers[0]!.id, GRACE_MS);
    await queue.setPolicy(concert.id, { activeMax: 1 });
    await queue.tick();
    expect(await queue.activeIds(concert.id)).toEqual([buyers[1]!.id]);
  });

  test('Q8: while no tick went out nobody could be seen, so everyone gets the whole grace again', async () => {
    const concert = await frontrow.build.concert();
    await queue.setPolicy(concert.id, { activeMax: 0 });
    const buyer = await frontrow.build.buyer();
    await queue.join(buyer, concert.id);
    await queue.tick();
    await queue.ageSight(concert.id, buyer.id, 2 * GRACE_MS);
    await frontrow.app.redis.hincrby(keys.queueState(concert.id), 'tick_at', -2 * GRACE_MS);
    await queue.tick();
    expect((await queue.poll(buyer, concert.id))!.status).toBe('WAITING');
  });
});
