import { jest } from '@jest/globals';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { QueuePosition } from '../../src/domain/queue.js';
import { PLACES_PER_EPOCH } from '../../src/domain/queue.js';
import { keys } from '../../src/redis/keys.js';
import type { Buyer } from '../support/builder.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { queueOf } from '../support/queue.js';
import { viewerOf } from '../support/sale.js';

/** Positions that each process works out by itself from the messages of a queue. */

const HEARTBEAT_EVERY_MS = 5000;
const GRACE_MS = 300_000;

let frontrow: Frontrow;
let queue: ReturnType<typeof queueOf>;
const watching: Watched[] = [];
beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2, env: { QUEUE_ADMIT_COUNT: '3', QUEUE_ACTIVE_MAX: '1000' } });
  queue = queueOf(frontrow);
});
/** The clock brings no beat: it is for the whole system, and one that fell due would be read for besides what a test counts. */
beforeEach(() => frontrow.app.redis.set(keys.queuesBeat(), 1));
afterEach(async () => {
  await Promise.all(watching.splice(0).map(({ stop }) => stop()));
  await queue.forgetAll();
});
afterAll(() => frontrow.stop());

interface Watched {
  buyer: Buyer;
  told: QueuePosition[];
  stop(): Promise<unknown>;
}

async function watch(buyer: Buyer, concertId: string, instance: number): Promise<Watched> {
  const positions = await frontrow.instances[instance]!.app.services.queue.watch(viewerOf(buyer), concertId);
  const told: QueuePosition[] = [];
  void (async () => {
    for await (const position of positions) told.push(position);
  })();
  const watched = { buyer, told, stop: () => positions.return!() };
  watching.push(watched);
  return watched;
}

/** As if the last heartbeat had been due. */
const ageHeartbeat = (concertId: string) => frontrow.app.redis.hincrby(keys.queueState(concertId), 'heartbeat_at', -HEARTBEAT_EVERY_MS);
const isAt = (watched: Watched, position: number) => eventually(() => watched.told.at(-1)?.position === position, `position ${position}`);

/** The line at one instant: who waited, in order. */
type Line = string[];

/** Whether what one was told can be read off the line, at instants that follow each other. */
function isExact(lines: readonly Line[], userId: string, told: readonly QueuePosition[]): boolean {
  let at = 0;
  for (const { status, position, waiting } of told) {
    const fits = (line: Line): boolean => (status === 'WAITING' ? line[position - 1] === userId && line.length === waiting : !line.includes(userId));
    while (at < lines.length && !fits(lines[at]!)) at += 1;
    if (at === lines.length) return false;
  }
  return true;
}

test.each([1, 2])('Q3: while a line moves at random, over two instances, every position that anyone is told was theirs at one instant, and never an older one (seed %i)', async (seed) => {
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const concert = await frontrow.build.concert();
  const away = await frontrow.build.buyers(40);
  const here: Buyer[] = [];
  const tokens = new Map<string, string>();
  const lines: Line[] = [];
  const note = async () => lines.push(await queue.waitingIds(concert.id));
  const join = async (buyer: Buyer): Promise<void> => {
    tokens.set(buyer.id, (await queue.join(buyer, concert.id, random(2))).token);
    here.push(buyer);
    await note();
  };
  for (const buyer of away.splice(0, 30)) await join(buyer);
  const watched = await Promise.all(here.map((buyer, index) => watch(buyer, concert.id, index % 2)));
  await eventually(() => watched.every(({ told }) => told.length > 0), 'the first positions');

  for (let step = 0; step < 60; step += 1) {
    const act = random(10);
    if (act < 2 && away.length > 0) await join(away.shift()!);
    else if (act < 5 && here.length > 8) {
      await queue.leave(here.splice(random(here.length), 1)[0]!, concert.id, random(2));
      await note();
    } else if (act < 6) await queue.ageInterval(concert.id, 10_000);
    else if (act < 7) await ageHeartbeat(concert.id);
    else await queue.tick(random(2)).then(note);
  }
  await queue.tick();
  await note();
  const last = lines.at(-1)!;
  const stillWaits = watched.filter(({ buyer }) => last.includes(buyer.id));
  await eventually(() => stillWaits.every(({ buyer, told }) => told.at(-1)!.position === last.indexOf(buyer.id) + 1), 'everybody to be told where they stand');
  for (const { buyer, told } of watched) expect({ told, isExact: isExact(lines, buyer.id, told) }).toEqual({ told, isExact: true });
  expect(watched.reduce((sum, { told }) => sum + told.length, 0)).toBeGreaterThan(100);
  // Control: one place further ahead, or in another order, would have been found.
  const moved = watched.filter(({ told }) => told.filter(({ status }) => status === 'WAITING').length > 2);
  for (const { buyer, told } of moved) {
    expect(isExact(lines, buyer.id, [{ ...told[0]!, position: told[0]!.position - 1 }])).toBe(false);
    expect(isExact(lines, buyer.id, [told[1]!, told[0]!])).toBe(false);
  }
});

test('Q3: places that come back after Redis was wiped move those behind them, on every instance', async () => {
  const concert = await frontrow.build.concert();
  await queue.setPolicy(concert.id, { activeMax: 0 });
  const buyers = await frontrow.build.buyers(9);
  const tokens = await queue.joinInTurn(buyers, concert.id);
  await queue.tick();
  const [front, back] = [await watch(buyers[3]!, concert.id, 0), await watch(buyers[8]!, concert.id, 1)];
  await Promise.all([isAt(front, 4), isAt(back, 9)]);
  const { redis } = frontrow.app;
  await redis.del(keys.queueWaiting(concert.id), keys.queueState(concert.id), keys.queueSeen(concert.id));
  // Each instance brings back its own, and the other hears of it with a tick.
  await eventually(async () => {
    await queue.tick();
    return front.told.at(-1)!.position === 1 && back.told.at(-1)!.position === 2;
  }, 'both to be back');
  // In no order, each before or between the two.
  for (const [count, index] of [5, 0, 7, 2].entries()) {
    await frontrow.client(index % 2).raw(`{ queuePosition(concertId: "${concert.id}") { position } }`, {}, { accessToken: buyers[index]!.accessToken, queueToken: tokens[index]! });
    await queue.tick(index % 2);
    await isAt(back, count + 3);
  }
  await isAt(front, 3);
  expect(back.told.map(({ position }) => position).slice(-5)).toEqual([2, 3, 4, 5, 6]);
  expect(Number(await redis.zscore(keys.queueWaiting(concert.id), buyers[8]!.id))).toBeLessThan(PLACES_PER_EPOCH);
});

test('Q3: a message that was lost is found missing with the next one, and positions are read again', async () => {
  const concert = await frontrow.build.concert();
  await queue.setPolicy(concert.id, { activeMax: 0 });
  const buyers = await frontrow.build.buyers(6);
  await queue.joinInTurn(buyers, concert.id);
  const last = await watch(buyers[5]!, concert.id, 1);
  await isAt(last, 6);
  await queue.leave(buyers[0]!, concert.id);
  await queue.tick();
  await isAt(last, 5);
  await queue.leave(buyers[1]!, concert.id);
  // Told, and heard by nobody.
  expect(await frontrow.app.redis.del(keys.queueMoves(concert.id))).toBe(1);
  await queue.leave(buyers[2]!, concert.id);
  await queue.tick();
  await isAt(last, 3);
  expect(last.told.map(({ position }) => position)).toEqual([6, 5, 3]);
});

test('Q3: after a message that was lost one who is far back is told no older position, but the true one as soon as it is read', async () => {
  const concert = await frontrow.build.concert();
  await queue.setPolicy(concert.id, { activeMax: 0 });
  const [first, second, third, behind] = (await frontrow.build.buyers(4)) as [Buyer, Buyer, Buyer, Buyer];
  const { redis } = frontrow.app;
  await queue.joinInTurn([first, second, third], concert.id);
  const place = Number(await redis.zscore(keys.queueWaiting(concert.id), third.id));
  await redis.zadd(keys.queueWaiting(concert.id), ...Array.from({ length: 1050 }, (_, index) => [place + (index + 1) / 2000, `someone-${index}`]).flat());
  await queue.join(behind, concert.id);
  await queue.tick();
  const far = await watch(behind, concert.id, 1);
  await isAt(far, 1054);
  await queue.leave(first, concert.id);
  await ageHeartbeat(concert.id);
  await queue.tick();
  await isAt(far, 1053);
  await queue.leave(second, concert.id);
  // Told, and heard by nobody.
  expect(await redis.del(keys.queueMoves(concert.id))).toBe(1);
  await queue.leave(third, concert.id);
  // Long after what it was told last: its turn has come.
  const real = performance.now.bind(performance);
  const clock = jest.spyOn(performance, 'now').mockImplementation(() => real() + HEARTBEAT_EVERY_MS);
  try {
    await queue.tick();
    await isAt(far, 1051);
  } finally {
    clock.mockRestore();
  }
  expect(far.told.map(({ position }) => position)).toEqual([1054, 1053, 1051]);
});

describe('what watching costs Redis', () => {
  const TICKS = 6;

  /** What the clients of Redis send about a concert, as Redis itself reports it to a connection that monitors. */
  async function sentWhile(concertId: string, work: () => Promise<void>): Promise<string[]> {
    const monitor = connect(frontrow.app.stores.redis.split('?')[0]!);
    monitor.write('MONITOR\r\n');
    const sent: string[] = [];
    createInterface(monitor).on('line', (line) => {
      if (line.includes(concertId) && !/\[\d+ lua\]/.test(line)) sent.push(/"(\w+)"/.exec(line)![1]!.toLowerCase());
    });
    await once(monitor, 'data');
    await work();
    // What was sent before this has been reported when this is.
    await frontrow.app.redis.exists(keys.queueState(concertId));
    await eventually(() => sent.at(-1) === 'exists', 'the end of the report');
    monitor.destroy();
    return sent;
  }

  async function lastSeenLongAgo(concertId: string, buyers: Buyer[]): Promise<void> {
    await frontrow.app.redis.zadd(keys.queueSeen(concertId), ...buyers.flatMap(({ id }) => [1, id]));
    await ageHeartbeat(concertId);
  }

  /** The clock brings no heartbeat either. */
  async function stillHeartbeat(concertId: string): Promise<void> {
    const { redis } = frontrow.app;
    const [seconds] = (await redis.time()) as unknown as [number];
    await redis.hset(keys.queueState(concertId), 'heartbeat_at', seconds * 1000);
  }

  async function commandsWith(sockets: number): Promise<{ commands: number; told: number }> {
    const concert = await frontrow.build.concert();
    await queue.setPolicy(concert.id, { activeMax: 0 });
    const buyers = await frontrow.build.buyers(TICKS + sockets);
    for (const buyer of buyers) await queue.join(buyer, concert.id);
    await queue.tick();
    const watched = await Promise.all(buyers.slice(TICKS).map((buyer, index) => watch(buyer, concert.id, index % 2)));
    await eventually(() => watched.every(({ told }) => told.length === 1), 'the first positions');
    const before = watched.reduce((sum, { told }) => sum + told.length, 0);
    const sent = await sentWhile(concert.id, async () => {
      for (let tick = 1; tick <= TICKS; tick += 1) {
        await queue.leave(buyers[tick - 1]!, concert.id);
        await stillHeartbeat(concert.id);
        if (tick === TICKS) await lastSeenLongAgo(concert.id, buyers.slice(TICKS));
        await queue.tick();
        await eventually(() => watched.every(({ told }) => told.at(-1)!.position === told[0]!.position - tick), 'everybody to hear of it');
      }
      await eventually(async () => (await frontrow.app.redis.zcount(keys.queueSeen(concert.id), 1, 1)) === 0, 'the signs of life');
    });
    return { commands: sent.filter((command) => command === 'evalsha').length, told: watched.reduce((sum, { told }) => sum + told.length, 0) - before };
  }

  test('Q3: two hundred watchers cost Redis as many script calls as ten', async () => {
    const [few, many] = [await commandsWith(10), await commandsWith(200)];
    expect([few.told, many.told]).toEqual([10 * TICKS, 200 * TICKS]);
    // A leave, and of each tick the look, the proposal and the telling; then one reading on each instance.
    expect(many.commands).toBe(few.commands);
    // Control: read one by one, each position would be a call.
    const concert = await frontrow.build.concert();
    const buyers = await frontrow.build.buyers(3);
    await queue.joinInTurn(buyers, concert.id);
    const sent = await sentWhile(concert.id, async () => {
      for (const buyer of buyers) await queue.poll(buyer, concert.id);
    });
    expect(sent.filter((command) => command === 'evalsha')).toHaveLength(3);
  });

  test('Q3: those who ask in one turn where they stand share a call, each is told of himself, and all of them have been seen', async () => {
    const concert = await frontrow.build.concert();
    const buyers = await frontrow.build.buyers(100);
    await queue.joinInTurn(buyers, concert.id);
    await lastSeenLongAgo(concert.id, buyers);
    const askers = [...buyers, buyers[0]!];
    const told: (number | undefined)[] = [];
    const sent = await sentWhile(concert.id, async () => {
      const positions = await Promise.all(askers.map((buyer) => frontrow.app.services.queue.position(viewerOf(buyer), concert.id)));
      told.push(...positions.map((position) => position?.position));
    });
    expect(told).toEqual(askers.map((buyer) => buyers.indexOf(buyer) + 1));
    expect(sent.filter((command) => command === 'evalsha')).toHaveLength(2);
    expect(await frontrow.app.redis.zcount(keys.queueSeen(concert.id), 1, 1)).toBe(0);
  });
});

test('Q8: of very many watchers some show with each heartbeat that they are here, for so long that all have had their turn', async () => {
  const concert = await frontrow.build.concert();
  await queue.setPolicy(concert.id, { activeMax: 0 });
  const buyers = await frontrow.build.buyers(1100);
  for (let from = 0; from < buyers.length; from += 100) await Promise.all(buyers.slice(from, from + 100).map((buyer) => frontrow.app.services.queue.join(viewerOf(buyer), concert.id)));
  await queue.tick();
  const watched = await Promise.all(buyers.map((buyer) => watch(buyer, concert.id, 0)));
  await eventually(() => watched.every(({ told }) => told.length > 0), 'the first positions');
  const seenAfter = async (ms: number) => (await frontrow.app.redis.zcount(keys.queueSeen(concert.id), ms, '+inf'));
  const { redis } = frontrow.app;
  const [seconds] = (await redis.time()) as unknown as [number];
  await redis.zadd(keys.queueSeen(concert.id), ...buyers.flatMap(({ id }) => [seconds * 1000 - GRACE_MS / 2, id]));
  await ageHeartbeat(concert.id);
  await queue.tick();
  await eventually(async () => (await seenAfter(seconds * 1000)) === 1000, 'the first thousand');
  // 1,100 take two turns, so each is seen for one heartbeat ahead.
  expect(await seenAfter(seconds * 1000 + HEARTBEAT_EVERY_MS)).toBe(1000);
  await ageHeartbeat(concert.id);
  await queue.tick();
  await eventually(async () => (await seenAfter(seconds * 1000)) === 1100, 'the others');
  // The end of a round is not the end of a heartbeat: it goes on with the first.
  for (let beat = 0; beat < 2; beat += 1) {
    await redis.zadd(keys.queueSeen(concert.id), ...buyers.flatMap(({ id }) => [seconds * 1000 - GRACE_MS / 2, id]));
    await ageHeartbeat(concert.id);
    await queue.tick();
    await eventually(async () => (await seenAfter(seconds * 1000)) === 1000, 'a thousand more');
  }
});
