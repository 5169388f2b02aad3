import type { Client } from 'graphql-ws';
import { collect } from '../support/collect.js';
import { websocketClient } from '../support/client.js';
import { subscribed } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { topics } from '../../src/redis/pubsub.js';
import * as operations from '../graphql/operations.js';

/** The whole sale as a SPA lives it: two instances, HTTP and websocket, real worker; every step goes to another instance than the one before. */

const SEAT_PRICE = 10_000;
const HOLD_TTL_MS = 3000;

let frontrow: Frontrow;
const sockets: Client[] = [];

beforeAll(async () => {
  frontrow = await startFrontrow({
    instances: 2,
    worker: true,
    env: {
      HOLD_TTL_MS: String(HOLD_TTL_MS),
      QUEUE_TICK_MS: '50',
      QUEUE_ADMIT_INTERVAL_MS: '100',
      QUEUE_ADMIT_COUNT: '1',
      QUEUE_ACTIVE_MAX: '1',
      SWEEP_INTERVAL_MS: '500',
    },
  });
});

afterAll(async () => {
  await Promise.all(sockets.map((socket) => socket.dispose()));
  await frontrow.stop();
});

function socketOf(instance: number, accessToken: string): Client {
  const socket = websocketClient(frontrow.instances[instance]!.url!, { accessToken });
  sockets.push(socket);
  return socket;
}

async function signUp(name: string): Promise<{ id: string; accessToken: string }> {
  const { data } = await frontrow.client(0).run(operations.SignUpDocument, {
    input: { email: `${name}-${process.pid}@example.com`, password: 'correct horse', name },
  });
  if (data?.signUp.__typename !== 'Session') throw new Error(`sign-up was refused: ${JSON.stringify(data)}`);
  return { id: data.signUp.user.id as string, accessToken: data.signUp.accessToken };
}

test('Q1 Q3 Q7 V1 W1 P1 O1: join on one instance, be admitted and notified on the other, hold, charge, pay, own', async () => {
  const [one, other] = [frontrow.client(0), frontrow.client(1)];
  const concert = await frontrow.build.concert({ seats: 50, price: SEAT_PRICE });
  const [ahead, buyer] = [await signUp('ahead'), await signUp('buyer')];

  await one.run(operations.JoinQueueDocument, { concertId: concert.id }, ahead);
  const joined = await one.run(operations.JoinQueueDocument, { concertId: concert.id }, buyer);
  const queueToken = joined.data!.joinQueue.token;
  const place = collect(socketOf(1, buyer.accessToken), operations.WatchQueuePositionDocument, { concertId: concert.id });
  const reservations = collect(socketOf(0, buyer.accessToken), operations.WatchReservationsDocument, {});
  await subscribed(frontrow, topics.reservationChanged(buyer.id));
  await place.until(({ queuePosition }) => queuePosition.status === 'WAITING' && queuePosition.position === 1);

  const early = await other.run(operations.SeatsDocument, { scheduleId: concert.scheduleId }, { ...buyer, queueToken });
  expect(early.errors?.[0]?.extensions.code).toBe('QUEUE_TOKEN_WAITING');

  await other.run(operations.LeaveQueueDocument, { concertId: concert.id }, ahead);
  const active = await place.until(({ queuePosition }) => queuePosition.status === 'ACTIVE');
  expect(active.queuePosition.position).toBe(0);
  expect(Date.parse(active.queuePosition.expiresAt!)).toBeGreaterThan(Date.now());

  const seats = await one.run(operations.SeatsDocument, { scheduleId: concert.scheduleId, status: 'AVAILABLE' }, { ...buyer, queueToken });
  expect(seats.data!.seats).toHaveLength(50);

  const reserved = await other.run(
    operations.ReserveDocument,
    { input: { scheduleId: concert.scheduleId, seatNumbers: [7, 8] } },
    { ...buyer, queueToken },
  );
  const reservation = reserved.data!.reserve;
  if (reservation.__typename !== 'Reservation') throw new Error(JSON.stringify(reserved));
  expect(reservation).toMatchObject({ status: 'HELD', totalPrice: 2 * SEAT_PRICE });
  await reservations.until(({ reservationChanged }) => reservationChanged.id === reservation.id && reservationChanged.status === 'HELD');

  const poor = await one.run(operations.PayDocument, { input: { reservationId: reservation.id } }, { ...buyer, queueToken });
  expect(poor.data!.pay).toMatchObject({ __typename: 'InsufficientBalance', currentBalance: 0, required: 2 * SEAT_PRICE });

  await one.run(operations.ChargeDocument, { input: { amount: 50_000, idempotencyKey: 'first' } }, buyer);
  const paid = await other.run(operations.PayDocument, { input: { reservationId: reservation.id } }, { ...buyer, queueToken });
  expect(paid.data!.pay).toMatchObject({ __typename: 'Payment', status: 'PAID', amount: 2 * SEAT_PRICE, balance: 50_000 - 2 * SEAT_PRICE });

  await reservations.until(({ reservationChanged }) => reservationChanged.id === reservation.id && reservationChanged.status === 'CONFIRMED');
  await place.completed;
  expect(place.messages.at(-1)!.queuePosition.status).toBe('COMPLETED');

  const mine = await one.run(operations.MeDocument, {}, buyer);
  expect(mine.data!.me.balance).toBe(30_000);
  expect(mine.data!.me.reservations.nodes).toMatchObject([{ id: reservation.id, status: 'CONFIRMED', seats: [{ number: 7 }, { number: 8 }] }]);
  expect(mine.data!.me.payments.nodes).toHaveLength(1);
  const dates = await other.run(operations.SchedulesDocument, { concertId: concert.id });
  expect(dates.data!.schedules[0]).toMatchObject({ totalSeats: 50, availableSeats: 48 });
});

test('V2: a hold that is not paid comes free by itself, and its owner is told', async () => {
  const concert = await frontrow.build.concert({ seats: 3, price: SEAT_PRICE });
  const [buyer, next] = await frontrow.build.admit(concert.id, await frontrow.build.buyers(2));
  const reservations = collect(socketOf(1, buyer!.accessToken), operations.WatchReservationsDocument, {});
  await subscribed(frontrow, topics.reservationChanged(buyer!.id));
  const input = { scheduleId: concert.scheduleId, seatNumbers: [2] };
  const held = await frontrow.client(0).run(operations.ReserveDocument, { input }, buyer);
  expect(held.data!.reserve.__typename).toBe('Reservation');
  const refused = await frontrow.client(1).run(operations.ReserveDocument, { input }, next);
  expect(refused.data!.reserve).toMatchObject({ __typename: 'SeatsUnavailable', seatNumbers: [2] });

  await reservations.until(({ reservationChanged }) => reservationChanged.status === 'EXPIRED');
  const retaken = await frontrow.client(1).run(operations.ReserveDocument, { input }, next);
  expect(retaken.data!.reserve).toMatchObject({ __typename: 'Reservation', status: 'HELD' });
});
