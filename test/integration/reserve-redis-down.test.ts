import { run, type Running } from '../../src/run.js';
import { createLogger } from '../../src/logging.js';
import { Reservation } from '../../src/database/entities/reservation.entity.js';
import { SeatGate } from '../../src/redis/seat-gate.js';
import * as operations from '../graphql/operations.js';
import { codeOf, graphqlClient } from '../support/client.js';
import type { AdmittedBuyer } from '../support/builder.js';
import { eventually } from '../support/eventually.js';
import { endGateEntries, gateEndsIn } from '../support/gate.js';
import { startFrontrow, testConfig, type Frontrow } from '../support/frontrow.js';
import { redisProxy, type RedisProxy } from '../support/redis-proxy.js';
import { servicesOf } from '../support/services.js';
import { dataOf, only, saleOf, viewerOf, type Sale } from '../support/sale.js';

/** An instance whose Redis goes away, beside one that keeps it: what is held can still be paid, nothing new is held, nobody waits. */

const PRICE = 10_000;

let frontrow: Frontrow;
let sale: Sale;
let proxy: RedisProxy;
let cutOff: Running;
const logged: { step?: string; err: { message?: string } }[] = [];

beforeAll(async () => {
  frontrow = await startFrontrow();
  sale = saleOf(frontrow);
  proxy = await redisProxy(frontrow.app.stores.redis);
  cutOff = await run(testConfig({ ROLES: 'api' }), { ...frontrow.app.stores, redis: proxy.address }, createLogger('warn', { write: (line) => logged.push(JSON.parse(line)) }));
});
afterAll(async () => {
  await cutOff.close();
  await proxy.close();
  await frontrow.stop();
});

const there = () => graphqlClient(cutOff.url!);
const connected = () => eventually(() => cutOff.app.redis.status === 'ready', 'the connection to Redis');

async function withHold() {
  const concert = await frontrow.build.concert({ seats: 4, price: PRICE });
  const buyer = await frontrow.build.admittedBuyer(concert.id, { balance: 5 * PRICE });
  return { concert, buyer, hold: await sale.hold(buyer, concert.scheduleId, [1]) };
}

test('with Redis down reserving answers SERVICE_UNAVAILABLE at once, and what is held can be paid, cancelled and refunded', async () => {
  const { concert, buyer, hold } = await withHold();
  const other = await sale.hold(buyer, concert.scheduleId, [2]);
  await proxy.cut();
  await eventually(() => cutOff.app.redis.status !== 'ready', 'the connection to break');

  const refused = await there().run(operations.ReserveDocument, { input: { scheduleId: concert.scheduleId, seatNumbers: [3] } }, buyer);
  expect(refused.errors?.[0]?.extensions).toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryAfterSeconds: 5 });
  await expect(cutOff.app.services.reservations.reserve(viewerOf(buyer), { scheduleId: concert.scheduleId, seatNumbers: [3] })).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  expect(await frontrow.app.transactions.fork().count(Reservation, { userId: buyer.id })).toBe(2);

  const payment = only(dataOf(await there().run(operations.PayDocument, { input: { reservationId: hold.id } }, buyer)).pay, 'Payment');
  expect(payment).toMatchObject({ status: 'PAID', balance: 4 * PRICE });
  only(dataOf(await there().run(operations.CancelReservationDocument, { id: other.id }, buyer)).cancelReservation, 'Reservation');
  only(dataOf(await there().run(operations.RefundDocument, { paymentId: payment.id }, buyer)).refund, 'Payment');
  only(dataOf(await there().run(operations.ChargeDocument, { input: { amount: 1, idempotencyKey: 'while away' } }, buyer)).charge, 'Charge');
  expect(await sale.balanceOf(buyer.id)).toBe(5 * PRICE + 1);
  const metrics = await cutOff.app.metrics.registry.metrics();
  for (const [step, failures] of [['gate-sold', 1], ['queue-complete', 1], ['gate-free', 2], ['publish', 3]]) {
    expect(metrics).toContain(`frontrow_follow_up_failures_total{step="${step}"} ${failures}`);
    expect(logged.filter((line) => line.step === step && line.err.message)).toHaveLength(failures as number);
  }

  await proxy.restore();
  await connected();
  const [again] = await frontrow.build.admit(concert.id, [buyer]);
  only(dataOf(await there().run(operations.ReserveDocument, { input: { scheduleId: concert.scheduleId, seatNumbers: [3] } }, again!)).reserve, 'Reservation');
});

describe('what was given back while Redis was away', () => {
  const SEATS = [1, 2];

  /** Held or paid while Redis was there, given back while it was not: the gate goes on turning everyone away. */
  async function givenBack(giveBack: (buyer: AdmittedBuyer, hold: { id: string }) => Promise<unknown>, paid: boolean) {
    const concert = await frontrow.build.concert({ seats: 2, price: PRICE });
    const [buyer, next] = await frontrow.build.admit(concert.id, await frontrow.build.buyers(2, { balance: 5 * PRICE }));
    const hold = await sale.hold(buyer!, concert.scheduleId, SEATS);
    if (paid) only(await sale.pay(buyer!, hold.id), 'Payment');
    await proxy.cut();
    await eventually(() => cutOff.app.redis.status !== 'ready', 'the connection to break');
    await giveBack(buyer!, hold);
    await proxy.restore();
    await connected();
    only(await sale.reserve(next!, concert.scheduleId, SEATS), 'SeatsUnavailable');
    return { concert, buyer: buyer!, next: next!, hold };
  }
  const refund = async (buyer: AdmittedBuyer, hold: { id: string }) => {
    const { id } = (await sale.reservation(buyer, hold.id))!.payment!;
    only(dataOf(await there().run(operations.RefundDocument, { paymentId: id }, buyer)).refund, 'Payment');
  };
  const cancel = async (buyer: AdmittedBuyer, { id }: { id: string }) =>
    only(dataOf(await there().run(operations.CancelReservationDocument, { id }, buyer)).cancelReservation, 'Reservation');

  test('P5: seats whose refund the gate never heard of can be bought again seconds later, though nobody repeats it', async () => {
    const { concert, next } = await givenBack(refund, true);
    expect(Math.max(...(await gateEndsIn(frontrow.app.redis, concert)).values())).toBeLessThanOrEqual(10_000);
    await endGateEntries(frontrow.app.redis, concert);
    only(await sale.pay(next, (await sale.hold(next, concert.scheduleId, SEATS)).id), 'Payment');
  });

  test('P5: repeating the refund frees them at the gate, and never what another has taken since', async () => {
    const { concert, buyer, next, hold } = await givenBack(refund, true);
    await refund(buyer, hold);
    await sale.hold(next, concert.scheduleId, SEATS);
    await refund(buyer, hold);
    expect(await sale.balanceOf(buyer.id)).toBe(5 * PRICE);
    expect([...(await gateEndsIn(frontrow.app.redis, concert)).keys()]).toEqual(SEATS);
  });

  test('V7: repeating the cancellation frees them at the gate', async () => {
    const { concert, buyer, next, hold } = await givenBack(cancel, false);
    await cancel(buyer, hold);
    await sale.hold(next, concert.scheduleId, SEATS);
  });
});

test('V2: a hold whose job could not be added, because Redis went away after the gate, is ended by the sweeper', async () => {
  const { app } = cutOff;
  class LosingGate extends SeatGate {
    override async take(attempt: Parameters<SeatGate['take']>[0]) {
      const taken = await super.take(attempt);
      await proxy.cut();
      await eventually(() => app.redis.status !== 'ready', 'the connection to break');
      return taken;
    }
  }
  const { reservations } = servicesOf(app, { gate: new LosingGate(app.redis, app.redisRun), config: { ...app.config, holdTtlMs: 1 } });
  const concert = await frontrow.build.concert({ seats: 1, price: PRICE });
  const buyer = await frontrow.build.admittedBuyer(concert.id);
  const hold = await reservations.reserve(viewerOf(buyer), { scheduleId: concert.scheduleId, seatNumbers: [1] });
  expect(hold.status).toBe('HELD');
  await eventually(async () => (await frontrow.app.services.reservations.sweep()) > 0, 'the sweeper');
  expect((await frontrow.app.transactions.fork().findOneOrFail(Reservation, { id: hold.id })).status).toBe('EXPIRED');
  await proxy.restore();
  await connected();
});

test('a Redis that takes commands and never answers does not keep a payment waiting', async () => {
  const { concert, buyer, hold } = await withHold();
  proxy.silence();
  const [paid, refused] = await Promise.all([
    there().run(operations.PayDocument, { input: { reservationId: hold.id } }, buyer),
    there().run(operations.ReserveDocument, { input: { scheduleId: concert.scheduleId, seatNumbers: [2] } }, buyer),
  ]);
  only(dataOf(paid).pay, 'Payment');
  expect(codeOf(refused)).toBe('SERVICE_UNAVAILABLE');
  await proxy.cut();
  await proxy.restore();
  await connected();
});
