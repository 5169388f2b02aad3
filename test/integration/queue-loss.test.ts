import type { Client } from 'graphql-ws';
import { endPlaces } from '../../src/database/repositories/queue-line.repository.js';
import { endPasses } from '../../src/database/repositories/queue.repository.js';
import { PLACES_PER_EPOCH } from '../../src/domain/queue.js';
import { keys } from '../../src/redis/keys.js';
import { WatchQueuePositionDocument } from '../graphql/operations.js';
import type { Buyer } from '../support/builder.js';
import { websocketClient } from '../support/client.js';
import { collect } from '../support/collect.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { queueOf } from '../support/queue.js';

/** What becomes of a waiting room whose Redis comes back empty, or with another clock. */

const HOUR_MS = 3_600_000;
const INTERVAL_MS = 10_000;
const GRACE_MS = 300_000;

let frontrow: Frontrow;
let queue: ReturnType<typeof queueOf>;
const clients: Client[] = [];
beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2, env: { QUEUE_ADMIT_COUNT: '2' } });
  queue = queueOf(frontrow);
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.dispose()));
  await queue.forgetAll();
});
afterAll(() => frontrow.stop());

/** As if the last beat had been due. */
const ageBeat = () => frontrow.app.redis.del(keys.queuesBeat());
/** This file has a logical Redis of its own. */
const loseRedis = () => frontrow.app.redis.flushdb();
const placeIn = async (token: string): Promise<number> => (await frontrow.app.tokens.verifyQueue(token))!.place;
const placesOf = async (buyers: Buyer[], concertId: string): Promise<number[]> => Promise.all((await queue.joinInTurn(buyers, concertId)).map(placeIn));

function watch(buyer: Buyer, concertId: string, instance = 0) {
  const client = websocketClient(frontrow.client(instance).url, buyer);
  clients.push(client);
  return collect(client, WatchQueuePositionDocument, { concertId });
}

describe('the order of the line', () => {
  test('Q4: newcomers after a loss stand behind every place ever given, also when nobody had been admitted, and after each further loss', async () => {
    const concert = await frontrow.build.concert();
    const buyers = await frontrow.build.buyers(9);
    const given: number[] = [];
    for (const from of [0, 3, 6]) {
      given.push(...(await placesOf(buyers.slice(from, from + 3), concert.id)));
      await loseRedis();
    }
    expect(given).toEqual(given.toSorted((a, b) => a - b));
    expect(new Set(given).size).toBe(given.length);
    expect(given.map((place) => Math.floor(place / PLACES_PER_EPOCH))).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2]);
  });

  test('Q4: a crowd that joins at once everywhere after a loss stands in one epoch, behind those before it, without ties', async () => {
    const concert = await frontrow.build.concert();
    const [first, ...crowd] = await frontrow.build.buyers(51);
    const [before] = await placesOf([first!], concert.id);
    await loseRedis();
    const joined = await Promise.all(crowd.map((buyer, index) => queue.join(buyer, concert.id, index % 2)));
    const places = (await Promise.all(joined.map(({ token }) => placeIn(token)))).toSorted((a, b) => a - b);
    expect(places[0]).toBeGreaterThan(before!);
    expect(places).toEqual(crowd.map((_, index) => places[0]! + index));
  });

  test('a counter lost alone begins a new epoch as well', async () => {
    const concert = await frontrow.build.concert();
    const [old, fresh] = await frontrow.build.buyers(2);
    await queue.join(old!, concert.id);
    await queue.tick();
    await frontrow.app.redis.del(keys.queueState(concert.id));
    expect(await placesOf([fresh!], concert.id)).toEqual([PLACES_PER_EPOCH + 1]);
  });
});

describe('who watches', () => {
  test('Q3: a place that ended while Redis was lost is told as it ended, and the subscription completes; nobody needs to join first', async () => {
    const concert = await frontrow.build.concert();
    const [paid, left] = await frontrow.build.buyers(2);
    await queue.setPolicy(concert.id, { activeMax: 1 });
    await queue.joinInTurn([paid!, left!], concert.id);
    await queue.tick();
    const watched = [watch(paid!, concert.id, 0), watch(left!, concert.id, 1)];
    await Promise.all(watched.map((one) => one.until(() => true)));
    await loseRedis();
    await frontrow.app.transactions.run((em) => endPasses(em, [{ concertId: concert.id, userId: paid!.id, place: 1 }], 'PAID'));
    await frontrow.app.transactions.run((em) => endPlaces(em, concert.id, [{ userId: left!.id, place: 2 }], 'LEFT'));
    await queue.tick();
    await Promise.all(watched.map((one) => one.completed));
    expect(watched.map((one) => one.messages.map(({ queuePosition }) => queuePosition.status))).toEqual([['ACTIVE', 'COMPLETED'], ['WAITING', 'EXPIRED']]);
  });

  test('Q3: where no job runs, the beat of another queue is enough to be brought back', async () => {
    const concert = await frontrow.build.concert();
    const buyer = await frontrow.build.buyer();
    await queue.join(buyer, concert.id);
    const watched = watch(buyer, concert.id, 1);
    await watched.until(() => true);
    await loseRedis();
    await queue.forgetAll();
    await ageBeat();
    await queue.tick();
    await eventually(async () => (await queue.waitingIds(concert.id)).includes(buyer.id), 'the place to be back');
  });

  test('Q3: a pass that is found over an hour too late is told as EXPIRED, too', async () => {
    const concert = await frontrow.build.concert();
    const buyer = await frontrow.build.buyer();
    await queue.join(buyer, concert.id);
    await queue.tick();
    const watched = watch(buyer, concert.id);
    await watched.until(() => true);
    await queue.agePass(concert.id, buyer.id, 2 * HOUR_MS);
    await queue.tick();
    await watched.completed;
    expect(watched.messages.map(({ queuePosition }) => queuePosition.status)).toEqual(['ACTIVE', 'EXPIRED']);
  });
});

describe('a clock of Redis that goes back', () => {
  test('Q7: does not stop admission, and does not make an interval admit more than N', async () => {
    const concert = await frontrow.build.concert();
    const buyers = await frontrow.build.buyers(6);
    await queue.joinInTurn(buyers, concert.id);
    await queue.tick();
    await queue.ageInterval(concert.id, -HOUR_MS);
    await queue.tick();
    expect(await queue.activeIds(concert.id)).toHaveLength(2);
    await queue.ageInterval(concert.id, INTERVAL_MS);
    await queue.tick();
    expect(await queue.activeIds(concert.id)).toHaveLength(4);
  });

  test('Q8: heartbeats go on, and nobody counts as absent for it', async () => {
    const concert = await frontrow.build.concert();
    await queue.setPolicy(concert.id, { activeMax: 0 });
    const buyer = await frontrow.build.buyer();
    await queue.join(buyer, concert.id);
    const watched = watch(buyer, concert.id);
    await watched.until(() => true);
    await queue.tick();
    const state = keys.queueState(concert.id);
    for (const field of ['tick_at', 'heartbeat_at']) await frontrow.app.redis.hincrby(state, field, HOUR_MS);
    await queue.ageSight(concert.id, buyer.id, 2 * GRACE_MS);
    await queue.tick();
    expect(await queue.waitingIds(concert.id)).toEqual([buyer.id]);
    const [seconds] = (await frontrow.app.redis.time()) as unknown as [string, string];
    expect(Number(await frontrow.app.redis.hget(state, 'heartbeat_at'))).toBeLessThanOrEqual((Number(seconds) + 1) * 1000);
  });
});
