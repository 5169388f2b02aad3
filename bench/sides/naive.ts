import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { ApolloServer } from '@apollo/server';
import { expressMiddleware } from '@as-integrations/express5';
import { LockMode, type EntityManager } from '@mikro-orm/mysql';
import express from 'express';
import { Redis } from 'ioredis';
import { jwtVerify, SignJWT } from 'jose';
import { v7 as uuid } from 'uuid';
import { Charge } from '../../src/database/entities/charge.entity.js';
import { Concert } from '../../src/database/entities/concert.entity.js';
import { LedgerEntry } from '../../src/database/entities/ledger-entry.entity.js';
import { Payment } from '../../src/database/entities/payment.entity.js';
import { Reservation } from '../../src/database/entities/reservation.entity.js';
import { ReservationSeat } from '../../src/database/entities/reservation-seat.entity.js';
import { Schedule } from '../../src/database/entities/schedule.entity.js';
import { Seat } from '../../src/database/entities/seat.entity.js';
import { Wallet } from '../../src/database/entities/wallet.entity.js';
import { connectDatabase } from '../../src/database/orm.config.js';
import { DateTime, Money } from '../../src/schema/scalars.js';

/**
 * What one would write first: Apollo Server on express with MikroORM entities and pessimistic locks, each as its documentation sets it up. The line is four
 * commands to Redis and lets everybody in at once; there are no limits, no passes, no events for other systems, and nothing is cached.
 */

interface Context {
  userId: string;
  em: EntityManager;
}

const HOLD_MS = 300_000;
const DAY_S = 86_400;
const key = new TextEncoder().encode(process.env['AUTH_SECRET']!);
const orm = await connectDatabase({ url: process.env['DATABASE_URL']! }, { poolMax: 10 });
const redis = new Redis(process.env['REDIS_URL']!);

async function joinQueue(_: unknown, { concertId }: { concertId: string }, { userId }: Context) {
  const place = await redis.incr(`naive:${concertId}:place`);
  await redis.zadd(`naive:${concertId}`, 'NX', place, userId);
  const rank = await redis.zrank(`naive:${concertId}`, userId);
  const waiting = await redis.zcard(`naive:${concertId}`);
  const now = Math.floor(Date.now() / 1000);
  const token = await new SignJWT({ sub: userId, concert: concertId, place }).setProtectedHeader({ alg: 'HS256' }).setIssuedAt(now).setExpirationTime(now + DAY_S).sign(key);
  const position = { concertId, userId, status: 'WAITING', position: (rank ?? 0) + 1, waiting, estimatedWaitSeconds: null, expiresAt: null, seatsMayRemain: true };
  return { token, position };
}

function reserve(_: unknown, { input: { scheduleId, seatNumbers } }: { input: { scheduleId: string; seatNumbers: number[] } }, { userId, em }: Context) {
  return em.transactional(async (tx) => {
    const schedule = await tx.findOneOrFail(Schedule, scheduleId);
    const seats = await tx.find(Seat, { scheduleId, number: { $in: seatNumbers } }, { lockMode: LockMode.PESSIMISTIC_WRITE, orderBy: { number: 'asc' } });
    const taken = seats.filter(({ status }) => status !== 'AVAILABLE');
    if (taken.length > 0) return { __typename: 'SeatsUnavailable', message: 'Taken.', seatNumbers: taken.map(({ number }) => number) };
    const [now, id] = [new Date(), uuid()];
    const totalPrice = seats.reduce((sum, { price }) => sum + price, 0);
    const expiresAt = new Date(now.getTime() + HOLD_MS);
    const reservation = tx.create(Reservation, { id, userId, concertId: schedule.concertId, scheduleId, status: 'HELD', seatCount: seats.length, totalPrice, expiresAt, createdAt: now, updatedAt: now });
    for (const seat of seats) {
      Object.assign(seat, { status: 'HELD', reservationId: id, heldUntil: expiresAt, version: seat.version + 1 });
      tx.create(ReservationSeat, { reservationId: id, number: seat.number, seatId: seat.id, liveSeatId: seat.id, grade: seat.grade, price: seat.price });
    }
    return reservation;
  });
}

function pay(_: unknown, { input: { reservationId } }: { input: { reservationId: string } }, { userId, em }: Context) {
  return em.transactional(async (tx) => {
    const wallet = await tx.findOneOrFail(Wallet, userId, { lockMode: LockMode.PESSIMISTIC_WRITE });
    const reservation = await tx.findOneOrFail(Reservation, { id: reservationId, userId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
    if (reservation.status !== 'HELD') return { __typename: 'ReservationNotPayable', message: 'Not payable.', status: reservation.status };
    const { totalPrice: amount, scheduleId } = reservation;
    if (wallet.balance < amount) return { __typename: 'InsufficientBalance', message: 'Too little.', balance: wallet.balance, required: amount };
    wallet.balance -= amount;
    reservation.status = 'CONFIRMED';
    const now = new Date();
    const reserved = await tx.find(ReservationSeat, { reservationId });
    const seats = await tx.find(Seat, { scheduleId, number: { $in: reserved.map(({ number }) => number) } }, { lockMode: LockMode.PESSIMISTIC_WRITE });
    for (const seat of seats) Object.assign(seat, { status: 'SOLD', heldUntil: null, version: seat.version + 1 });
    const payment = tx.create(Payment, { id: uuid(), reservationId, userId, status: 'PAID', amount, balance: wallet.balance, paidAt: now, refundedAt: null });
    tx.create(LedgerEntry, { userId, kind: 'PAYMENT', amount: -amount, balanceAfter: wallet.balance, sourceId: payment.id, createdAt: now });
    return payment;
  });
}

function charge(_: unknown, { input: { amount, idempotencyKey } }: { input: { amount: number; idempotencyKey: string } }, { userId, em }: Context) {
  return em.transactional(async (tx) => {
    const wallet = await tx.findOneOrFail(Wallet, userId, { lockMode: LockMode.PESSIMISTIC_WRITE });
    wallet.balance += amount;
    const charged = tx.create(Charge, { id: uuid(), userId, idempotencyKey, amount, balance: wallet.balance, chargedAt: new Date() });
    tx.create(LedgerEntry, { userId, kind: 'CHARGE', amount, balanceAfter: wallet.balance, sourceId: charged.id, createdAt: charged.chargedAt });
    return charged;
  });
}

/** An entity is the member of that name; what was refused says itself what it is. */
const typeOf = (entity: new () => object, name: string) => ({ __resolveType: (value: { __typename?: string }) => (value instanceof entity ? name : value.__typename!) });

const resolvers = {
  DateTime,
  Money,
  Query: {
    concerts: async (_: unknown, { first }: { first: number }, { em }: Context) => ({ nodes: await em.find(Concert, {}, { orderBy: { id: 'desc' }, limit: first }), pageInfo: { hasNextPage: false, endCursor: null } }),
    schedules: (_: unknown, { concertId }: { concertId: string }, { em }: Context) => em.find(Schedule, { concertId }, { orderBy: { startsAt: 'asc' } }),
    seats: (_: unknown, { scheduleId }: { scheduleId: string }, { em }: Context) => em.find(Seat, { scheduleId }, { orderBy: { number: 'asc' } }),
  },
  Schedule: { availableSeats: ({ id }: Schedule, _: unknown, { em }: Context) => em.count(Seat, { scheduleId: id, status: 'AVAILABLE' }) },
  Mutation: { joinQueue, reserve, pay, charge },
  Reservation: {
    schedule: ({ scheduleId }: Reservation) => ({ id: scheduleId }),
    seats: ({ id }: Reservation, _: unknown, { em }: Context) => em.find(ReservationSeat, { reservationId: id }),
    payment: ({ id }: Reservation, _: unknown, { em }: Context) => em.findOne(Payment, { reservationId: id }),
  },
  Payment: { reservation: ({ reservationId }: Payment, _: unknown, { em }: Context) => em.findOneOrFail(Reservation, reservationId) },
  ReserveResult: typeOf(Reservation, 'Reservation'),
  PayResult: typeOf(Payment, 'Payment'),
  ChargeResult: typeOf(Charge, 'Charge'),
};

const server = new ApolloServer<Context>({ typeDefs: readFileSync(process.env['SCHEMA']!, 'utf8'), resolvers: resolvers as never });
await server.start();
const app = express();
app.use(
  '/graphql',
  express.json(),
  expressMiddleware(server, {
    context: async ({ req }) => {
      const { payload } = await jwtVerify(req.headers.authorization?.slice('Bearer '.length) ?? '', key, { algorithms: ['HS256'], audience: 'frontrow:access' });
      return { userId: payload.sub!, em: orm.em.fork() };
    },
  }),
);
const listening = app.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(listening.address() as AddressInfo).port}`));
