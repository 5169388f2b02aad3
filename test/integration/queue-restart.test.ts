import type { Client } from 'graphql-ws';
import { PLACES_PER_EPOCH } from '../../src/domain/queue.js';
import { keys } from '../../src/redis/keys.js';
import { WatchQueuePositionDocument } from '../graphql/operations.js';
import type { Buyer } from '../support/builder.js';
import { websocketClient } from '../support/client.js';
import { collect } from '../support/collect.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { startOwnRedis, type OwnRedis } from '../support/own-redis.js';
import { queueOf } from '../support/queue.js';
import { only, saleOf } from '../support/sale.js';

/** What a waiting room is after its Redis was killed and came back: with all it knew, or with what it knew a while ago. */

let server: OwnRedis;
let frontrow: Frontrow;
let queue: ReturnType<typeof queueOf>;
const clients: Client[] = [];
beforeEach(async () => {
  server = await startOwnRedis();
  frontrow = await startFrontrow({ instances: 2, redis: server.address, env: { QUEUE_ADMIT_COUNT: '100', QUEUE_REBUILD_GRACE_MS: '60000' } });
  queue = queueOf(frontrow);
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.dispose()));
  await frontrow.stop();
  await server.stop();
});

const backAgain = () => eventually(() => frontrow.instances.every(({ app }) => app.redis.status === 'ready'), 'the connections to come back');
const idsOf = (buyers: readonly Buyer[]) => buyers.map(({ id }) => id);
const placeIn = async (token: string): Promise<number> => (await frontrow.app.tokens.verifyQueue(token))!.place;
const pausedUntil = async (concertId: string): Promise<number> => Number((await frontrow.app.redis.hget(keys.queueState(concertId), 'rebuild_until')) ?? 0);

function watch(buyer: Buyer, concertId: string, instance: number) {
  const client = websocketClient(frontrow.client(instance).url, buyer);
  clients.push(client);
  return collect(client, WatchQueuePositionDocument, { concertId });
}

test('Q10: a Redis that was killed and has all it knew goes on at once: no pause, the same line, newcomers behind it', async () => {
  const concert = await frontrow.build.concert();
  await queue.setPolicy(concert.id, { activeMax: 2 });
  const [last, ...buyers] = await frontrow.build.buyers(6);
  await queue.joinInTurn(buyers, concert.id);
  await queue.tick();
  await server.restart();
  await backAgain();
  const place = await placeIn((await queue.join(last!, concert.id, 1)).token);
  expect(Math.floor(place / PLACES_PER_EPOCH)).toBe(1);
  expect(await queue.waitingIds(concert.id)).toEqual([...idsOf(buyers.slice(2)), last!.id]);
  expect(new Set(await queue.activeIds(concert.id))).toEqual(new Set(idsOf(buyers.slice(0, 2))));
  expect(await pausedUntil(concert.id)).toBe(0);
  await queue.leave(buyers[0]!, concert.id);
  await queue.ageInterval(concert.id, 10_000);
  await queue.tick();
  expect(new Set(await queue.activeIds(concert.id))).toEqual(new Set(idsOf(buyers.slice(1, 3))));
});

test('Q10: an old dump does not bring back what has ended since, nor lose who came since, nor give a place twice', async () => {
  const concert = await frontrow.build.concert();
  await queue.setPolicy(concert.id, { activeMax: 2 });
  const buyers = await frontrow.build.buyers(10, { balance: 50_000 });
  const [paying, leaving, admitted, quitter, absent, old, late, watching, newcomer, timedOut] = buyers;
  const tokens = await queue.joinInTurn([paying!, leaving!, timedOut!, admitted!, quitter!, absent!, old!], concert.id);
  await queue.tick();
  await server.saveDump();

  const sale = saleOf(frontrow);
  const buyer = { ...paying!, queueToken: tokens[0]! };
  only(await sale.pay(buyer, (await sale.hold(buyer, concert.scheduleId, [1])).id), 'Payment');
  await queue.leave(leaving!, concert.id);
  await queue.setPolicy(concert.id, { activeMax: 2 });
  await queue.tick();
  expect(new Set(await queue.activeIds(concert.id))).toEqual(new Set(idsOf([timedOut!, admitted!])));
  await queue.leave(quitter!, concert.id);
  await queue.agePass(concert.id, timedOut!.id, 600_000);
  await queue.ageSight(concert.id, absent!.id, 3_600_000);
  await queue.setPolicy(concert.id, { activeMax: 0 });
  await queue.tick();
  const [lateToken] = await queue.joinInTurn([late!, watching!], concert.id);
  const watched = watch(watching!, concert.id, 1);
  await watched.until(() => true);

  await server.restartFromDump();
  await backAgain();
  await queue.tick();
  await eventually(async () => (await queue.waitingIds(concert.id)).includes(watching!.id), 'the watcher to be back');
  const newest = await placeIn((await queue.join(newcomer!, concert.id)).token);
  expect((await queue.poll({ ...late!, queueToken: lateToken! } as Buyer, concert.id))!.status).toBe('WAITING');
  expect(await queue.waitingIds(concert.id)).toEqual(idsOf([old!, late!, watching!, newcomer!]));
  expect(Math.floor(newest / PLACES_PER_EPOCH)).toBe(1);
  expect(await queue.activeIds(concert.id)).toEqual([admitted!.id]);
  expect(await pausedUntil(concert.id)).toBeGreaterThan(0);
  const ended = await Promise.all([paying!, leaving!, quitter!, absent!, timedOut!].map((one) => queue.poll(one, concert.id)));
  expect(ended.map((position) => position?.status)).toEqual(['COMPLETED', 'EXPIRED', 'EXPIRED', 'EXPIRED', 'EXPIRED']);
  expect(watched.messages.map(({ queuePosition }) => queuePosition.status)).not.toContain('EXPIRED');

  await queue.setPolicy(concert.id, { activeMax: 100 });
  await queue.endPause(concert.id);
  await queue.tick();
  expect(new Set(await queue.activeIds(concert.id))).toEqual(new Set(idsOf([admitted!, old!, late!, watching!, newcomer!])));
  const passes = await queue.passesOf(concert.id);
  expect(new Set(passes.map(({ userId }) => userId)).size).toBe(passes.length);
});
