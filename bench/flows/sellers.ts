import { join } from 'node:path';
import { ChargeDocument, JoinQueueDocument, PayDocument, ReserveDocument, SchedulesDocument, SeatsDocument } from '../../test/graphql/operations.js';
import { checkInvariants } from '../../src/database/check-invariants.js';
import { Arena } from '../support/arena.js';
import type { FlowStep } from '../support/load-jobs.js';
import { bodyOf } from '../support/operations.js';
import { withCores } from '../support/pin.js';
import type { Server } from '../support/process.js';
import type { BenchWorld } from '../support/world.js';

/** Those who sell: Frontrow and what it is compared with, each with a database of its own in the same server. */
export interface Seller {
  name: string;
  server: Server;
  /** Whose processor time is measured: the server, then everything else it needs. */
  pids: number[];
  arena: Arena;
  steps: Record<'join' | 'seats' | 'reserve' | 'pay', FlowStep>;
  /** Its turn: all that it runs itself has one core meanwhile. */
  turn<T>(work: () => Promise<T>): Promise<T>;
  /** People wait in line between joining and the seats. */
  hasLine: boolean;
  /** What is not true of its rows that should be. */
  wrongs(): Promise<string[]>;
}

export const FRONTROW = 'Frontrow';
export const NAIVE = 'Apollo + express + entities';
export const RAW = 'node:http + SQL';

/** A number in the place of a string. */
const numbers = (body: string): string => body.replaceAll(/"\{\{(seat|amount)\}\}"/g, '{{$1}}');

const TOKEN = { queueToken: '"token":"([^"]+)"' };
const RESERVATION = { reservationId: '"id":"([^"]+)"' };

const GRAPHQL: Seller['steps'] = {
  join: { name: 'join', body: bodyOf(JoinQueueDocument, { concertId: '{{concertId}}' }), succeeds: '"token"', finds: TOKEN },
  seats: { name: 'seats', body: bodyOf(SeatsDocument, { scheduleId: '{{scheduleId}}' }), withQueueToken: true, succeeds: '"number"', waits: 'QUEUE_TOKEN_WAITING' },
  reserve: {
    name: 'reserve', body: numbers(bodyOf(ReserveDocument, { input: { scheduleId: '{{scheduleId}}', seatNumbers: ['{{seat}}'] } })), withQueueToken: true,
    succeeds: '"__typename":"Reservation"', finds: RESERVATION,
  },
  pay: { name: 'pay', body: bodyOf(PayDocument, { input: { reservationId: '{{reservationId}}' } }), withQueueToken: true, succeeds: '"__typename":"Payment"' },
};

/** What else a visitor of the mixed flow does. */
export const VISITS: Record<'charge' | 'concerts' | 'dates', FlowStep> = {
  charge: { name: 'charge', body: numbers(bodyOf(ChargeDocument, { input: { amount: '{{amount}}', idempotencyKey: 'one' } })), succeeds: '"__typename":"Charge"' },
  concerts: { name: 'concerts', body: bodyOf('query ConcertList($first: Int! = 20) { concerts(first: $first) { nodes { id title artist saleOpensAt saleClosesAt } } }', { first: 20 }), succeeds: '"title"' },
  dates: { name: 'dates', body: bodyOf(SchedulesDocument, { concertId: '{{concertId}}' }), succeeds: '"startsAt"' },
};

const RAW_STEPS: Seller['steps'] = {
  join: { name: 'join', path: '/join', body: '{"concertId":"{{concertId}}"}', succeeds: '"token"', finds: TOKEN },
  seats: { name: 'seats', path: '/seats', body: '{"scheduleId":"{{scheduleId}}"}', succeeds: '"number"' },
  reserve: { name: 'reserve', path: '/reserve', body: '{"scheduleId":"{{scheduleId}}","seatNumber":{{seat}}}', succeeds: '"HELD"', finds: { reservationId: '"reservationId":"([^"]+)"' } },
  pay: { name: 'pay', path: '/pay', body: '{"reservationId":"{{reservationId}}"}', succeeds: '"PAID"' },
};

const storesOf = ({ database, redis }: BenchWorld): number[] => [database.pid, redis.pid];

export async function frontrowSeller(world: BenchWorld): Promise<Seller> {
  const [server, worker] = await Promise.all([world.frontrow('api'), world.frontrow('worker')]);
  const arena = Arena.ofFrontrow(world);
  const wrongs = async (): Promise<string[]> => {
    const findings = await checkInvariants(world.app.orm, { ...world.app.config, settled: false });
    return [...(await arena.wrongs()), ...findings.filter(({ count }) => count > 0).map(({ name, count }) => `${name}: ${count}`)];
  };
  return { name: FRONTROW, server, pids: [server.pid, worker.pid, ...storesOf(world)], arena, steps: GRAPHQL, turn: (work) => withCores('server', worker, work), hasLine: true, wrongs };
}

export const naiveSeller = (world: BenchWorld): Promise<Seller> => otherSeller(world, NAIVE, 'naive', GRAPHQL);
export const rawSeller = (world: BenchWorld): Promise<Seller> => otherSeller(world, RAW, 'raw-sql', RAW_STEPS);

async function otherSeller(world: BenchWorld, name: string, file: string, steps: Seller['steps']): Promise<Seller> {
  const database = file.replaceAll('-', '_');
  const env = { DATABASE_URL: world.databaseUrl.replace(/[^/]+$/, database), SCHEMA: join(process.cwd(), 'src/schema/schema.graphql') };
  await world.app.orm.em.getConnection().execute(`create database ${database} character set utf8mb4 collate utf8mb4_bin`);
  const [arena, server] = await Promise.all([Arena.named(world, database), world.side(`${file}.ts`, env)]);
  return { name, server, pids: [server.pid, ...storesOf(world)], arena, steps, turn: (work) => work(), hasLine: false, wrongs: () => arena.wrongs() };
}
