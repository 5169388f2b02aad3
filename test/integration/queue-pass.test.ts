import { jest } from '@jest/globals';
import { endPasses, givePasses } from '../../src/database/repositories/queue.repository.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { queueOf } from '../support/queue.js';
import { viewerOf } from '../support/sale.js';
import { statementsOf } from '../support/statements.js';
import { keys } from '../../src/redis/keys.js';

const INTERVAL_MS = 10_000;
const HOUR_MS = 3_600_000;
const MISSING_ID = '01890000-0000-7000-8000-000000000000';

let frontrow: Frontrow;
let queue: ReturnType<typeof queueOf>;
beforeAll(async () => {
  frontrow = await startFrontrow({ env: { QUEUE_ADMIT_COUNT: '2', QUEUE_ADMIT_INTERVAL_MS: String(INTERVAL_MS), QUEUE_ACTIVE_MAX: '5', QUEUE_PASS_ATTEMPTS_MAX: '3' } });
  queue = queueOf(frontrow);
});
afterAll(() => frontrow.stop());

/** Each test has a concert of its own; what earlier tests left must not take part in its ticks. */
afterEach(() => queue.forgetAll());
afterEach(() => jest.restoreAllMocks());

describe('the pass', () => {
  test('Q2: seats need the ACTIVE pass of this user and this concert; each way to lack it has its code', async () => {
    const [concert, elsewhere] = [await frontrow.build.concert(), await frontrow.build.concert()];
    const [buyer, other] = await frontrow.build.buyers(2);
    const { token } = await queue.join(buyer!, concert.id);
    const { token: foreign } = await queue.join(buyer!, elsewhere.id);
    const code = (queueToken?: string, who = buyer!) => queue.seatsCode(who, queueToken, concert.scheduleId);
    expect(await code()).toBe('QUEUE_TOKEN_REQUIRED');
    expect(await code(`${token}x`)).toBe('QUEUE_TOKEN_REQUIRED');
    expect(await code(buyer!.accessToken)).toBe('QUEUE_TOKEN_REQUIRED');
    expect(await code(foreign)).toBe('QUEUE_TOKEN_REQUIRED');
    expect(await code(token, other!)).toBe('QUEUE_TOKEN_REQUIRED');
    expect(await code(await frontrow.app.tokens.signQueue({ concertId: concert.id, userId: buyer!.id, place: 1 }, new Date(0)))).toBe('QUEUE_TOKEN_REQUIRED');
    expect(await code(token)).toBe('QUEUE_TOKEN_WAITING');
    await queue.tick();
    await frontrow.app.services.queue.requirePass(viewerOf(buyer!), token, concert.scheduleId, false);
    expect(await queue.seatsCode(buyer!, token, 'nonsense')).toBe('BAD_USER_INPUT');
    expect(await queue.seatsCode(buyer!, token, MISSING_ID)).toBe('NOT_FOUND');
    await queue.leave(buyer!, concert.id);
    expect(await code(token)).toBe('QUEUE_TOKEN_EXPIRED');
  });

  test('Q2: whose a date is that nobody has asked for yet is asked once, however many come at once, and never again', async () => {
    const concert = await frontrow.build.concert();
    const [buyer] = await frontrow.build.buyers(1);
    const { token } = await queue.join(buyer!, concert.id);
    await queue.tick();
    const crowd = () => Promise.all(Array.from({ length: 100 }, () => frontrow.app.services.queue.requirePass(viewerOf(buyer!), token, concert.scheduleId, false)));
    const asked = async () => (await statementsOf(frontrow, crowd)).filter((sql) => sql.includes('concert_id as concertId from schedule where id')).length;
    expect(await asked()).toBe(1);
    const now = performance.now.bind(performance);
    jest.spyOn(performance, 'now').mockImplementation(() => now() + HOUR_MS);
    expect(await asked()).toBe(0);
  });

  test('Q2: the token of a place that was given up opens nothing, though its user is active again at a newer one', async () => {
    const concert = await frontrow.build.concert();
    const [buyer] = await frontrow.build.buyers(1);
    const old = (await queue.join(buyer!, concert.id)).token;
    await queue.leave(buyer!, concert.id);
    const { token } = await queue.join(buyer!, concert.id);
    await queue.tick();
    expect(await queue.seatsCode(buyer!, token, concert.scheduleId)).toBeUndefined();
    expect(await queue.seatsCode(buyer!, old, concert.scheduleId)).toBe('QUEUE_TOKEN_EXPIRED');
  });

  test('Q6: a pass ends by its time, by payment and by leaving, and each ending frees its room and is written down', async () => {
    const concert = await frontrow.build.concert();
    const buyers = await frontrow.build.buyers(4);
    await queue.setPolicy(concert.id, { admitCount: 10, activeMax: 3 });
    const tokens = await queue.joinInTurn(buyers, concert.id);
    await queue.tick();
    expect(await queue.activeIds(concert.id)).toHaveLength(3);
    await queue.agePass(concert.id, buyers[0]!.id, HOUR_MS / 2);
    expect(await queue.seatsCode(buyers[0]!, tokens[0], concert.scheduleId)).toBe('QUEUE_TOKEN_EXPIRED');
    await frontrow.app.services.queue.complete(concert.id, buyers[1]!.id, 2);
    expect(await queue.leave(buyers[2]!, concert.id)).toBe(true);
    expect(await queue.leave(buyers[2]!, concert.id)).toBe(false);
    expect((await Promise.all(buyers.map((buyer) => queue.poll(buyer, concert.id)))).map((position) => position!.status)).toEqual(['EXPIRED', 'COMPLETED', 'EXPIRED', 'WAITING']);
    await queue.tick();
    expect(await queue.activeIds(concert.id)).toEqual([buyers[3]!.id]);
    const passes = await queue.passesOf(concert.id);
    expect(passes.map((pass) => pass.endedBy)).toEqual(['TIME', null, 'LEFT', null]);
    expect(passes[0]!.endedAt).toEqual(passes[0]!.expiresAt);
  });

  test('Q6: only the place that was paid with completes; a newer one of the same user stays', async () => {
    const concert = await frontrow.build.concert();
    const buyer = await frontrow.build.buyer();
    await queue.join(buyer, concert.id);
    await queue.leave(buyer, concert.id);
    await queue.join(buyer, concert.id);
    await queue.tick();
    await frontrow.app.services.queue.complete(concert.id, buyer.id, 1);
    expect((await queue.poll(buyer, concert.id))!.status).toBe('ACTIVE');
    await frontrow.app.services.queue.complete(concert.id, buyer.id, 2);
    expect((await queue.poll(buyer, concert.id))!.status).toBe('COMPLETED');
  });

  test('Q6: a payment whose process died before the pass was ended is found by the ticks, and the room is free', async () => {
    const concert = await frontrow.build.concert();
    await queue.setPolicy(concert.id, { activeMax: 1 });
    const [payer, next] = await frontrow.build.buyers(2);
    await queue.joinInTurn([payer!, next!], concert.id);
    await queue.tick();
    await frontrow.app.transactions.run((em) => endPasses(em, [{ concertId: concert.id, userId: payer!.id, place: 1 }], 'PAID'));
    // However long ago that was.
    await frontrow.app.transactions.fork().execute('update queue_pass set ended_at = ended_at - interval 9 minute where concert_id = ?', [concert.id]);
    await frontrow.app.redis.hset(keys.queueState(concert.id), 'heartbeat_at', 0);
    await queue.tick();
    expect((await queue.poll(payer!, concert.id))!.status).toBe('COMPLETED');
    expect(await queue.activeIds(concert.id)).toEqual([next!.id]);
  });

  test('Q6: a payment while the place still waits ends nothing, also in the moment before its pass is handed over', async () => {
    const concert = await frontrow.build.concert();
    const buyer = await frontrow.build.buyer();
    await queue.join(buyer, concert.id);
    const place = { concertId: concert.id, userId: buyer.id, place: 1 };
    const { transactions, redis } = frontrow.app;
    // The worker has written the pass; before it hands it over, an older hold is paid with the token of this place.
    await transactions.run((em) => givePasses(em, concert.id, [place], HOUR_MS));
    await transactions.run((em) => endPasses(em, [place], 'PAID'));
    for (let ticks = 0; ticks < 2; ticks += 1) {
      await redis.hset(keys.queueState(concert.id), 'heartbeat_at', 0);
      await queue.tick();
    }
    expect((await queue.poll(buyer, concert.id))!.status).toBe('ACTIVE');
    await transactions.run((em) => endPasses(em, [place], 'PAID'));
    expect((await queue.passesOf(concert.id)).map((pass) => pass.endedBy)).toEqual(['PAID']);
  });

  test('Q6: an ending is told for an hour, then nothing is known', async () => {
    const concert = await frontrow.build.concert();
    const buyer = await frontrow.build.buyer();
    await queue.join(buyer, concert.id);
    await queue.leave(buyer, concert.id);
    const marker = keys.queueEnded(concert.id, buyer.id);
    expect(await frontrow.app.redis.pttl(marker)).toBeGreaterThan(HOUR_MS - 60_000);
    expect(await frontrow.app.redis.pttl(marker)).toBeLessThanOrEqual(HOUR_MS);
    await frontrow.app.redis.del(marker);
    expect(await queue.poll(buyer, concert.id)).toBeNull();
  });

  test('Q11: a pass allows a bounded number of attempts, then says when it ends', async () => {
    const concert = await frontrow.build.concert();
    const buyer = await frontrow.build.buyer();
    const { token } = await queue.join(buyer, concert.id);
    await queue.tick();
    const attempt = (counts: boolean) => frontrow.app.services.queue.requirePass(viewerOf(buyer), token, concert.scheduleId, counts);
    for (let use = 0; use < 3; use += 1) await attempt(true);
    const refusal = await attempt(true).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'RATE_LIMITED', extensions: { retryAfterSeconds: expect.any(Number) } });
    const { retryAfterSeconds } = (refusal as { extensions: { retryAfterSeconds: number } }).extensions;
    expect(retryAfterSeconds).toBeGreaterThan(590);
    expect(retryAfterSeconds).toBeLessThanOrEqual(600);
    await attempt(false);
  });

  test('Q7: while nobody is in a queue no interval passes, so the next crowd is not told of empty ones', async () => {
    const concert = await frontrow.build.concert();
    const buyer = await frontrow.build.buyer();
    await queue.join(buyer, concert.id);
    await queue.leave(buyer, concert.id);
    await queue.tick();
    expect(await frontrow.app.redis.hget(keys.queueState(concert.id), 'interval_at')).toBeNull();
  });

  test('Q6: a pass whose handing over was not noted, because a process died, is noted with the next heartbeat', async () => {
    const concert = await frontrow.build.concert();
    const buyer = await frontrow.build.buyer();
    await queue.join(buyer, concert.id);
    await queue.tick();
    const em = frontrow.app.transactions.fork();
    await em.execute('update queue_pass set admitted_at = null where concert_id = ?', [concert.id]);
    await frontrow.app.redis.hset(keys.queueState(concert.id), 'heartbeat_at', 0);
    await queue.tick();
    const [pass] = await em.execute<{ admitted_at: Date | null }[]>('select admitted_at from queue_pass where concert_id = ?', [concert.id]);
    expect(pass!.admitted_at).not.toBeNull();
  });
});
