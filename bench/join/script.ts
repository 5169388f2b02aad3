import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Redis } from 'ioredis';
import { v7 as uuid } from 'uuid';
import { findServers } from '../../src/launcher/servers.js';
import { keys } from '../../src/redis/keys.js';
import { QueueStore } from '../../src/redis/queue-store.js';
import type { BenchRun } from '../bench.js';
import { interleave, WARM_UP, type Side } from '../support/interleave.js';
import { pinnedCommand, pinProcess } from '../support/pin.js';
import type { Sample } from '../support/stats.js';
import { metricOf, spreadOf } from '../support/stats.js';
import { cpuUsOf } from '../support/cpu.js';
import type { BenchWorld } from '../support/world.js';

/** The join of the queue's store, as the service calls it, beside what redis-benchmark gets out of the very same script. Redis has the core of the server under test. */

const FRONTROW = 'Frontrow';
const REDIS_BENCHMARK = 'redis-benchmark';
const IN_FLIGHT = 256;
const PIPELINE = 64;
/** Replaced by redis-benchmark with another number in each call. */
const ANY_NUMBER = '__rand_int__';
const NUMBERS = 1_000_000_000;
/** It says nothing of what the script answers; now and then a number comes twice. */
const JOINED_MIN = 0.99;

export async function timeJoinScript(run: BenchRun, world: BenchWorld): Promise<void> {
  pinProcess('server', world.redis.pid);
  const program = await findRedisBenchmark(run);
  const store = storeOver(world, world.app.redis);
  const count = run.sized({ quick: 15_000, full: 200_000 });
  const sides: Side[] = [
    { name: REDIS_BENCHMARK, measure: async (round) => timeBenchmark(world, program, await captureJoin(world), countOf(count, round)) },
    { name: FRONTROW, measure: async (round) => timeStore(world, store, await openConcert(world), countOf(count, round)) },
  ];
  const rounds = await interleave(run, 'the script', sides, run.sized({ quick: 3, full: 7 }));
  run.note(`The script: ${count} joins, ${IN_FLIGHT} in flight, of users that are new in a line that is new in each round; ${REDIS_BENCHMARK} sends the EVALSHA that one such join sends, ${PIPELINE} in a pipeline over ${IN_FLIGHT / PIPELINE} connections.`);
  run.compare(`the join script by ${REDIS_BENCHMARK}, joins per second`, rounds, { of: FRONTROW, to: REDIS_BENCHMARK, metric: 'perSecond', better: 'higher', wanted: { atLeast: 0.9 } });
  const columns = ['perSecond', 'redisUs'];
  run.table({ title: 'The join script', columns: ['', 'joins per second', 'Redis µs per join'], rows: sides.map(({ name }) => [name, ...columns.map((metric) => spreadOf(metricOf(rounds, name, metric)).median)]) });
  pinProcess('rest', world.redis.pid);
}

const storeOver = ({ app }: BenchWorld, redis: Redis): QueueStore => new QueueStore(redis, app.redisRun, () => Promise.reject(new Error('The queue was lost.')));

const countOf = (count: number, round: number): number => (round === WARM_UP ? count / 4 : count);

/** In Redis and in the database, so that its line is whole and can be joined. */
async function openConcert({ build, app }: BenchWorld): Promise<string> {
  const { id } = await build.concert({ seats: 1 });
  await app.services.queue.position({ userId: uuid(), role: 'USER', sessionId: uuid(), tokenExpiresAt: new Date() }, id);
  return id;
}

async function timeStore({ redis }: BenchWorld, store: QueueStore, concertId: string, count: number): Promise<Sample> {
  const users = Array.from({ length: count }, () => uuid());
  let taken = 0;
  const [cpuBefore, startedAt] = [cpuUsOf(redis.pid), performance.now()];
  const work = async (): Promise<void> => {
    for (let user = users[taken++]; user; user = users[taken++]) {
      const outcome = await store.join(concertId, user, true);
      if (typeof outcome === 'string' || outcome.status !== 'JOINED') throw new Error(`A join came to nothing: ${JSON.stringify(outcome)}`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
  return { perSecond: (count / (performance.now() - startedAt)) * 1000, redisUs: (cpuUsOf(redis.pid) - cpuBefore) / count };
}

interface Captured {
  concertId: string;
  command: string[];
}

/** What one join of a user sends, with a number for the user. */
async function captureJoin(world: BenchWorld): Promise<Captured> {
  const concertId = await openConcert(world);
  const user = uuid();
  let sent: string[] = [];
  const { redis } = world.app;
  const evalsha = (...command: (string | number)[]): Promise<unknown> => {
    sent = ['EVALSHA', ...command.map(String)];
    return redis.evalsha(...(command as Parameters<typeof redis.evalsha>));
  };
  const watched = new Proxy(redis, { get: (target, name) => (name === 'evalsha' ? evalsha : Reflect.get(target, name)) });
  await storeOver(world, watched).join(concertId, user, true);
  return { concertId, command: sent.map((part) => part.replaceAll(user, ANY_NUMBER)) };
}

async function findRedisBenchmark(run: BenchRun): Promise<{ program: string; env: Record<string, string> }> {
  const { redisServer, env } = await findServers({ database: false, redis: true }, (line) => run.say(line));
  return { program: join(dirname(redisServer), 'redis-benchmark'), env };
}

const PER_SECOND = /"(\d+(?:\.\d+)?)"(?:,"[\d.]+"){6}\s*$/;

async function timeBenchmark({ app, redis }: BenchWorld, { program, env }: { program: string; env: Record<string, string> }, { concertId, command }: Captured, count: number): Promise<Sample> {
  const before = cpuUsOf(redis.pid);
  const options = ['-s', redis.socket, '-n', String(count), '-P', String(PIPELINE), '-c', String(IN_FLIGHT / PIPELINE), '-r', String(NUMBERS), '--csv'];
  const [file, ...args] = pinnedCommand('rest', [program, ...options, ...command]);
  const { stdout } = await promisify(execFile)(file!, args, { env: { ...process.env, ...env } });
  const [, perSecond] = PER_SECOND.exec(stdout) ?? [];
  if (!perSecond || /error/i.test(stdout)) throw new Error(`redis-benchmark said: ${stdout}`);
  const redisUs = (cpuUsOf(redis.pid) - before) / count;
  const joined = await app.redis.zcard(keys.queueWaiting(concertId));
  if (joined < JOINED_MIN * count) throw new Error(`Of ${count} joins of redis-benchmark ${joined} are in the line.`);
  return { perSecond: Number(perSecond), redisUs };
}
