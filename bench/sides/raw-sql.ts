import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { createPool, type RowDataPacket } from 'mysql2/promise';
import { SaleWriter } from './support/sale-writer.js';

/**
 * What is left when everything but the sale is taken away: node:http, one path for each step, SQL written by hand, joins of a tick in one command to Redis, seats
 * from a copy of at most a second, and a single writer that commits what waits together. Signatures of access tokens are checked; there is no GraphQL,
 * no waiting, no gate, no limit, no idempotency, no quota, no event.
 */

const SEATS_KNOWN_MS = 1000;
const HEADER_ENDS = '.';
const pool = createPool({ uri: process.env['DATABASE_URL']!, connectionLimit: 4, timezone: 'Z' });
const redis = new Redis(process.env['REDIS_URL']!);
const writer = new SaleWriter(pool);

function viewerOf({ headers: { authorization = '' } }: IncomingMessage): string {
  const token = authorization.slice('Bearer '.length);
  const end = token.lastIndexOf(HEADER_ENDS);
  const signed = createHmac('sha256', process.env['AUTH_SECRET']!).update(token.slice(0, end)).digest();
  if (!timingSafeEqual(signed, Buffer.from(token.slice(end + 1), 'base64url'))) throw new Error('unauthenticated');
  const claims = JSON.parse(Buffer.from(token.slice(token.indexOf(HEADER_ENDS) + 1, end), 'base64url').toString()) as { sub: string; exp: number };
  if (claims.exp * 1000 < Date.now()) throw new Error('expired');
  return claims.sub;
}

const JOIN = `
  local place = redis.call('INCRBY', KEYS[2], #ARGV)
  local entries = {}
  for index, user in ipairs(ARGV) do entries[2 * index - 1], entries[2 * index] = place - #ARGV + index, user end
  redis.call('ZADD', KEYS[1], 'NX', unpack(entries))
  return place`;
const JOINS_MAX = 64;

interface Joining {
  userId: string;
  resolve(place: number): void;
  reject(error: unknown): void;
}

const joining = new Map<string, Joining[]>();

function join(userId: string, concertId: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const waiting = joining.get(concertId);
    if (waiting) return void waiting.push({ userId, resolve, reject });
    joining.set(concertId, [{ userId, resolve, reject }]);
    setImmediate(() => {
      const all = joining.get(concertId)!;
      joining.delete(concertId);
      for (let from = 0; from < all.length; from += JOINS_MAX) void joinTogether(concertId, all.slice(from, from + JOINS_MAX));
    });
  });
}

async function joinTogether(concertId: string, together: Joining[]): Promise<void> {
  try {
    const last = (await redis.eval(JOIN, 2, `raw:${concertId}`, `raw:${concertId}:place`, ...together.map(({ userId }) => userId))) as number;
    for (const [index, { resolve }] of together.entries()) resolve(last - together.length + index + 1);
  } catch (error) {
    for (const { reject } of together) reject(error);
  }
}

const seats = new Map<string, { body: Promise<string>; until: number }>();

function seatsOf(scheduleId: string): Promise<string> {
  const known = seats.get(scheduleId);
  if (known && known.until > performance.now()) return known.body;
  const body = pool
    .query<RowDataPacket[]>('select id, number, section, row_name as `row`, grade, price, status from seat where schedule_id = ? order by number', [scheduleId])
    .then(([rows]) => JSON.stringify({ seats: rows }));
  seats.set(scheduleId, { body, until: performance.now() + SEATS_KNOWN_MS });
  return body;
}

type Input = Record<string, string> & { seatNumber: number };

const PATHS: Record<string, (userId: string, input: Input) => Promise<string>> = {
  '/join': async (userId, { concertId }) => `{"token":"${createHmac('sha256', process.env['AUTH_SECRET']!).update(`${userId}${concertId}`).digest('base64url')}","place":${await join(userId, concertId!)}}`,
  '/seats': (_, { scheduleId }) => seatsOf(scheduleId!),
  '/reserve': async (userId, { scheduleId, seatNumber }) => JSON.stringify(await writer.reserve(userId, scheduleId!, seatNumber)),
  '/pay': async (userId, { reservationId }) => JSON.stringify(await writer.pay(userId, reservationId!)),
};

async function answer(request: IncomingMessage, text: string): Promise<string> {
  return PATHS[request.url!]!(viewerOf(request), JSON.parse(text) as Input);
}

const send = (response: ServerResponse, status: number, body: string): void =>
  void response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(body) }).end(body);

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    answer(request, Buffer.concat(chunks).toString()).then(
      (body) => send(response, 200, body),
      (error: unknown) => send(response, 500, JSON.stringify({ errors: [String(error)] })),
    );
  });
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
