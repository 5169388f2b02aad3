import { createHmac } from 'node:crypto';
import { v7 as uuid } from 'uuid';
import { WebhookDelivery } from '../../src/database/entities/webhook-delivery.entity.js';
import { tell } from '../../src/database/repositories/outbox.repository.js';
import { claimDelivery, nextInOrder, settleDelivery } from '../../src/database/repositories/webhook.repository.js';
import type { EventType } from '../../src/domain/event.js';
import { DELIVERY_ATTEMPTS_MAX } from '../../src/domain/webhook.js';
import { createLogger } from '../../src/logging.js';
import { run } from '../../src/run.js';
import { DeliveryService } from '../../src/services/delivery.service.js';
import { WebhookSender } from '../../src/services/webhook-sender.js';
import type { Buyer } from '../support/builder.js';
import { codeOf } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, testConfig, type Frontrow } from '../support/frontrow.js';
import { startReceiver, type Receiver } from '../support/receiver.js';
import { only, saleOf } from '../support/sale.js';

/** From the outbox to a real HTTP server. No worker runs unless a test starts one: the tests say when an attempt is made. */

let frontrow: Frontrow;
let receiver: Receiver;
let webhook: { id: string; secret: string };
let admin: Buyer;
beforeAll(async () => {
  frontrow = await startFrontrow({ brokenOnPurpose: { invariants: ['told-is-true', 'delivery-state'], because: 'events are told of what never happened, and deliveries are written by hand' } });
  admin = await frontrow.build.buyer({ role: 'ADMIN' });
});
beforeEach(async () => {
  receiver = await startReceiver();
  const created = await frontrow.app.services.webhooks.create({ url: receiver.url, events: ['PAYMENT_MADE', 'RESERVATION_HELD', 'RESERVATION_EXPIRED'] });
  webhook = { id: created.webhook.id, secret: created.secret };
});
afterEach(async () => {
  await receiver.close();
  await frontrow.app.services.webhooks.delete(webhook.id);
});
afterAll(() => frontrow.stop());

const services = () => frontrow.app.services;
const em = () => frontrow.app.transactions.fork();

/** So many events of one reservation, relayed. Answers their ids. */
async function happen(types: EventType[], reservationId = uuid()): Promise<WebhookDelivery[]> {
  for (const type of types) {
    await frontrow.app.transactions.run((inner) => tell(inner, [{ type, occurredAt: new Date(), userId: uuid(), concertId: uuid(), reservationId, payload: { seatNumbers: [1] } }]));
  }
  await services().relay.run();
  return em().find(WebhookDelivery, { webhookId: webhook.id, orderKey: reservationId }, { orderBy: { sequence: 'asc' } });
}
const stateOf = async (id: string) => {
  const { state, attempts, lastStatus, lastError, nextAt } = await em().findOneOrFail(WebhookDelivery, { id });
  return { state, attempts, lastStatus, lastError, nextAt };
};
const deliver = (delivery: { id: string }) => services().deliveries.deliver({ deliveryId: delivery.id, webhookId: webhook.id });
/** As if the time of the next attempt had come, or came so much later. */
const makeDue = (id: string, inMs = -60_000) => em().nativeUpdate(WebhookDelivery, { id }, { nextAt: new Date(Date.now() + inMs) });

test('P3: an event arrives as JSON, signed over its time and body, with the id it has everywhere', async () => {
  const [delivery] = await happen(['PAYMENT_MADE', 'CHARGE_MADE']);
  expect(await deliver(delivery!)).toEqual({ remainingMs: 0 });
  const [{ headers, body, event }] = (await receiver.until(1)) as [Receiver['received'][number]];
  const timestamp = headers['frontrow-timestamp'] as string;
  expect(headers['frontrow-signature']).toBe(createHmac('sha256', webhook.secret).update(`${timestamp}.${body}`).digest('hex'));
  expect(Math.abs(Number(timestamp) * 1000 - Date.now())).toBeLessThan(10_000);
  expect(headers['frontrow-event-id']).toBe(delivery!.eventId);
  expect(headers['content-type']).toBe('application/json');
  expect(event).toMatchObject({ id: delivery!.eventId, type: 'PAYMENT_MADE', payload: { version: 1, seatNumbers: [1] } });
  expect(await stateOf(delivery!.id)).toMatchObject({ state: 'DELIVERED', attempts: 1, lastStatus: 200, lastError: null });
  expect(await deliver(delivery!)).toEqual({ remainingMs: 0 });
  expect(receiver.received).toHaveLength(1);
});

test('P3: one that is looked at while the earlier one is just being settled waits for that, and is due then', async () => {
  const [earlier, later] = await happen(['RESERVATION_HELD', 'RESERVATION_EXPIRED']);
  const { claimed } = await frontrow.app.transactions.run(async (inner) => {
    await settleDelivery(inner, earlier!, { state: 'DELIVERED', delayMs: 0, status: 200, error: null });
    expect(await nextInOrder(inner, earlier!)).toMatchObject({ deliveryId: later!.id });
    let settled = false;
    const claimed = frontrow.app.transactions.run((other) => claimDelivery(other, later!.id, 1000)).finally(() => (settled = true));
    await eventually(async () => {
      const waiting = await em().execute("select 1 from information_schema.processlist where db = database() and info like '%webhook_delivery%for update%' and id <> connection_id()");
      return settled || waiting.length > 0;
    }, 'the look at the later one');
    return { claimed };
  });
  expect(await claimed).toMatchObject({ delivery: { id: later!.id, attempts: 1 } });
});

test('P3: a webhook whose secret is changed is signed for with both until the old one is over; a secret is told to whoever changes it, once', async () => {
  const client = frontrow.client();
  const rotate = (keepOldSeconds: number) =>
    client.raw('mutation ($id: ID!, $keepOldSeconds: Int!) { rotateWebhookSecret(id: $id, keepOldSeconds: $keepOldSeconds) { secret webhook { id } } }', { id: webhook.id, keepOldSeconds }, admin);
  const { secret } = (await rotate(60)).data.rotateWebhookSecret;
  expect(secret).not.toBe(webhook.secret);
  const sent = async () => {
    await deliver((await happen(['PAYMENT_MADE']))[0]!);
    const { headers, body } = receiver.received.at(-1)!;
    const signed = (by: string) => createHmac('sha256', by).update(`${headers['frontrow-timestamp'] as string}.${body}`).digest('hex');
    return { signature: headers['frontrow-signature'], signed };
  };
  const during = await sent();
  expect(during.signature).toBe(`${during.signed(secret)},${during.signed(webhook.secret)}`);
  await em().execute('update webhook set old_secret_until = sysdate(3)');
  const after = await sent();
  expect(after.signature).toBe(after.signed(secret));
  const leaked = (await rotate(0)).data.rotateWebhookSecret.secret;
  const fresh = await sent();
  expect(fresh.signature).toBe(fresh.signed(leaked));
  expect(codeOf(await rotate(604_801))).toBe('BAD_USER_INPUT');
});

test('P3: where private addresses are refused nothing is sent to them, by whatever name', async () => {
  const outside = new WebhookSender(false);
  const { port } = new URL(receiver.url);
  for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '[64:ff9b:1::7f00:1]', '[2001::7f00:1]', '[fec0::1]', '169.254.169.254', '10.1.2.3', '2130706433']) {
    expect({ host, ...(await outside.send({ url: `http://${host}:${port}/`, secret: 's' }, uuid(), '{}', new Date())) }).toEqual({ host, arrived: false, status: null, error: 'EPRIVATE' });
  }
  expect(receiver.received).toHaveLength(0);
  expect(await new WebhookSender(true).send({ url: receiver.url, secret: 's' }, uuid(), '{}', new Date())).toEqual({ arrived: true, status: 200, error: null });
});

test('P3: relayed again, an event makes no second delivery; a type not asked for makes none', async () => {
  const [delivery] = await happen(['PAYMENT_MADE']);
  await em().execute('update outbox_event set published_at = null where event_id = ?', [delivery!.eventId]);
  await services().relay.run();
  expect(await em().count(WebhookDelivery, { eventId: delivery!.eventId, webhookId: webhook.id })).toBe(1);
  expect(await happen(['CHARGE_MADE', 'PAYMENT_REFUNDED'])).toEqual([]);
});

test('P3: what does not arrive is tried again, each time later, and not before its time', async () => {
  const [delivery] = await happen(['PAYMENT_MADE']);
  const waits: number[] = [];
  for (const [attempt, answer] of [500, 404, 302].entries()) {
    receiver.answerWith(answer, { location: `${receiver.url}/elsewhere` });
    const from = Date.now();
    const { remainingMs } = await deliver(delivery!);
    waits.push(remainingMs);
    expect(await stateOf(delivery!.id)).toMatchObject({ state: 'PENDING', attempts: attempt + 1, lastStatus: answer, lastError: `status ${answer}` });
    expect((await stateOf(delivery!.id)).nextAt.getTime()).toBeGreaterThanOrEqual(from + 500 * 2 ** attempt);
    // Too early: nothing is sent.
    await makeDue(delivery!.id, 60_000);
    expect((await deliver(delivery!)).remainingMs).toBeGreaterThan(0);
    await makeDue(delivery!.id);
  }
  // Between the half and the whole of 1, 2 and 4 s.
  for (const [index, wait] of waits.entries()) {
    expect(wait).toBeGreaterThanOrEqual(500 * 2 ** index);
    expect(wait).toBeLessThanOrEqual(1000 * 2 ** index);
  }
  // The redirect was not followed.
  expect(receiver.received).toHaveLength(3);
  receiver.answerWith(204);
  await deliver(delivery!);
  expect(await stateOf(delivery!.id)).toMatchObject({ state: 'DELIVERED', attempts: 4 });
  expect(new Set(receiver.received.map(({ headers }) => headers['frontrow-event-id']))).toEqual(new Set([delivery!.eventId]));
});

test('P3: a receiver that hangs or is not there fails the attempt, with the reason', async () => {
  const impatient = new DeliveryService(frontrow.app.transactions, frontrow.app.jobs, new WebhookSender(true, 50), frontrow.app.metrics);
  const [hanging, refused] = [(await happen(['PAYMENT_MADE']))[0]!, (await happen(['PAYMENT_MADE']))[0]!];
  receiver.answerWith('hang');
  await impatient.deliver({ deliveryId: hanging.id, webhookId: webhook.id });
  expect(await stateOf(hanging.id)).toMatchObject({ state: 'PENDING', attempts: 1, lastStatus: null, lastError: 'timeout' });
  const gone = await startReceiver();
  await gone.close();
  await services().webhooks.update(webhook.id, { url: gone.url });
  await deliver(refused);
  expect(await stateOf(refused.id)).toMatchObject({ state: 'PENDING', lastStatus: null, lastError: 'ECONNREFUSED' });
});

test('P3: a later event of the same reservation waits for the earlier one, others do not', async () => {
  const [held, paid] = await happen(['RESERVATION_HELD', 'PAYMENT_MADE']);
  const [other] = await happen(['PAYMENT_MADE']);
  receiver.answerWith(500);
  await deliver(held!);
  receiver.answerWith(200);
  expect(await deliver(paid!)).toEqual({ remainingMs: 0 });
  // Whoever looks for lost jobs does not come across it before the earlier one is over.
  expect(await stateOf(paid!.id)).toMatchObject({ state: 'PENDING', attempts: 0 });
  expect((await stateOf(paid!.id)).nextAt.getTime()).toBeGreaterThan(Date.now() + 30_000);
  await deliver(other!);
  await makeDue(held!.id);
  await deliver(held!);
  await deliver(paid!);
  expect(receiver.received.map(({ event }) => event.id)).toEqual([held!, other!, held!, paid!].map(({ eventId }) => eventId));
});

test('negative control: without a look at the earlier one the later event overtakes it', async () => {
  const [held, paid] = await happen(['RESERVATION_HELD', 'PAYMENT_MADE']);
  await em().nativeUpdate(WebhookDelivery, { id: paid!.id }, { orderKey: 'of nobody else' });
  receiver.answerWith(500);
  await deliver(held!);
  receiver.answerWith(200);
  await deliver(paid!);
  expect(await stateOf(paid!.id)).toMatchObject({ state: 'DELIVERED' });
  expect(await stateOf(held!.id)).toMatchObject({ state: 'PENDING' });
});

test('P3: after its last attempt a delivery is DEAD; the next event goes on, an admin sees the dead one and has it delivered again', async () => {
  const [held, paid] = await happen(['RESERVATION_HELD', 'PAYMENT_MADE']);
  await em().nativeUpdate(WebhookDelivery, { id: held!.id }, { attempts: DELIVERY_ATTEMPTS_MAX - 1 });
  receiver.answerWith(503);
  expect(await deliver(held!)).toEqual({ remainingMs: 0 });
  expect(await stateOf(held!.id)).toMatchObject({ state: 'DEAD', attempts: DELIVERY_ATTEMPTS_MAX, lastStatus: 503 });
  receiver.answerWith(200);
  await deliver(paid!);
  expect(await stateOf(paid!.id)).toMatchObject({ state: 'DELIVERED' });

  const client = frontrow.client();
  const page = await client.raw('{ deadDeliveries { nodes { id webhookId eventId eventType state attempts lastStatus lastError } pageInfo { hasNextPage } } }', {}, admin);
  expect(page.data.deadDeliveries.nodes).toEqual([
    { id: held!.id, webhookId: webhook.id, eventId: held!.eventId, eventType: 'RESERVATION_HELD', state: 'DEAD', attempts: DELIVERY_ATTEMPTS_MAX, lastStatus: 503, lastError: 'status 503' },
  ]);
  const redeliver = (deliveryId: string) => client.raw('mutation ($deliveryId: ID!) { redeliver(deliveryId: $deliveryId) { state attempts } }', { deliveryId }, admin);
  expect((await redeliver(held!.id)).data.redeliver).toEqual({ state: 'PENDING', attempts: 0 });
  await deliver(held!);
  expect((await redeliver(held!.id)).data.redeliver).toEqual({ state: 'DELIVERED', attempts: 1 });
  expect(codeOf(await redeliver(uuid()))).toBe('NOT_FOUND');
  expect(receiver.received.at(-1)!.headers['frontrow-event-id']).toBe(held!.eventId);
});

test('P3: an attempt whose process died is made again once its claim is over, and meanwhile by nobody', async () => {
  const [delivery] = await happen(['PAYMENT_MADE']);
  receiver.answerWith('hang');
  const first = deliver(delivery!);
  const [request] = await receiver.until(1);
  expect((await deliver(delivery!)).remainingMs).toBeGreaterThan(5000);
  expect(receiver.received).toHaveLength(1);
  await makeDue(delivery!.id);
  receiver.answerWith(200);
  await deliver(delivery!);
  expect(await stateOf(delivery!.id)).toMatchObject({ state: 'DELIVERED', attempts: 2 });
  // The first comes back from the dead and changes nothing.
  request!.answer(500);
  await first;
  expect(await stateOf(delivery!.id)).toMatchObject({ state: 'DELIVERED', attempts: 2 });
});

test('a receiver that hangs holds a few deliveries at most; the others are put off without being tried', async () => {
  receiver.answerWith('hang');
  const deliveries: WebhookDelivery[] = [];
  for (let count = 0; count < 6; count += 1) deliveries.push((await happen(['PAYMENT_MADE']))[0]!);
  const underWay = deliveries.map(deliver);
  expect(await underWay[5]).toEqual({ remainingMs: 5000 });
  const requests = await receiver.until(5);
  expect(await stateOf(deliveries[5]!.id)).toMatchObject({ attempts: 0 });
  for (const { answer } of requests) answer(200);
  await Promise.all(underWay);
  receiver.answerWith(200);
  await deliver(deliveries[5]!);
  expect(await stateOf(deliveries[5]!.id)).toMatchObject({ state: 'DELIVERED' });
});

test('P3: a crowd that waits for one webhook does not hide the lost deliveries of another', async () => {
  const crowded = await services().webhooks.create({ url: receiver.url, events: ['PAYMENT_REFUNDED'] });
  await em().execute(
    `insert into webhook_delivery (id, webhook_id, event_id, event_type, order_key, sequence, body, state, attempts, next_at, created_at)
     select uuid(), ?, uuid(), 'PAYMENT_REFUNDED', uuid(), seq, '{}', 'PENDING', 0, sysdate(3) - interval 1 hour, sysdate(3) from seq_1_to_600`,
    [crowded.webhook.id],
  );
  const [lost] = await happen(['PAYMENT_MADE']);
  await makeDue(lost!.id);
  const begun: string[] = [];
  const jobs = Object.assign(Object.create(frontrow.app.jobs) as typeof frontrow.app.jobs, { hurry: (_: string, id: string) => Promise.resolve(void begun.push(id)) });
  await new DeliveryService(frontrow.app.transactions, jobs, new WebhookSender(true), frontrow.app.metrics).beginLate();
  expect(begun).toContain(`${lost!.id}-late`);
  await services().webhooks.delete(crowded.webhook.id);
});

test('an admin sees deliveries by state and webhook, and has all that are DEAD delivered again', async () => {
  const [first, second, third] = [(await happen(['PAYMENT_MADE']))[0]!, (await happen(['PAYMENT_MADE']))[0]!, (await happen(['PAYMENT_MADE']))[0]!];
  await deliver(first);
  await em().nativeUpdate(WebhookDelivery, { id: { $in: [second.id, third.id] } }, { state: 'DEAD', attempts: DELIVERY_ATTEMPTS_MAX });
  const client = frontrow.client();
  const idsOf = async (state: string, page = '') =>
    ((await client.raw(`{ webhookDeliveries(state: ${state}, webhookId: "${webhook.id}" ${page}) { nodes { id } } }`, {}, admin)).data.webhookDeliveries.nodes as { id: string }[]).map(({ id }) => id);
  expect(await idsOf('DELIVERED')).toEqual([first.id]);
  expect((await idsOf('DEAD')).sort()).toEqual([second.id, third.id].sort());
  expect(await idsOf('DEAD', ', first: 1')).toHaveLength(1);
  const redeliverAll = (webhookId: string) => client.raw('mutation ($webhookId: ID!) { redeliverAll(webhookId: $webhookId) }', { webhookId }, admin);
  expect((await redeliverAll(webhook.id)).data.redeliverAll).toBe(2);
  expect(await idsOf('DEAD')).toEqual([]);
  await deliver(second);
  expect(await stateOf(second.id)).toMatchObject({ state: 'DELIVERED', attempts: 1 });
  expect(codeOf(await redeliverAll(uuid()))).toBe('NOT_FOUND');
});

test('the sweeper forgets what was delivered a day ago, and what has been dead for a month', async () => {
  const kept: string[] = [];
  const add = async (state: 'DELIVERED' | 'DEAD' | 'PENDING', days: number, stays: boolean): Promise<void> => {
    const id = uuid();
    await em().insert(WebhookDelivery, {
      id, webhookId: webhook.id, eventId: uuid(), eventType: 'PAYMENT_MADE', orderKey: id, sequence: 1, body: '{}', state, attempts: 1,
      nextAt: new Date(Date.now() - days * 86_400_000), lastStatus: null, lastError: null, createdAt: new Date(),
    });
    if (stays) kept.push(id);
  };
  for (const [state, days, stays] of [['DELIVERED', 1.1, false], ['DELIVERED', 0.9, true], ['DEAD', 29, true], ['DEAD', 31, false], ['PENDING', 40, true]] as const) await add(state, days, stays);
  await services().deliveries.sweep();
  const left = await em().find(WebhookDelivery, { webhookId: webhook.id }, { orderBy: { id: 'asc' } });
  const gone = uuid();
  await em().insert(WebhookDelivery, { ...left[0]!, id: uuid(), webhookId: gone, eventId: uuid() });
  await services().deliveries.sweep();
  expect(await em().count(WebhookDelivery, { webhookId: gone })).toBe(0);
  expect(left.map(({ id }) => id)).toEqual(kept);
});

test('P3: a paused webhook is told nothing new and keeps what waits; one that is removed takes its deliveries along', async () => {
  const [delivery] = await happen(['PAYMENT_MADE']);
  await services().webhooks.update(webhook.id, { enabled: false });
  expect(await happen(['PAYMENT_MADE'])).toEqual([]);
  expect(await deliver(delivery!)).toEqual({ remainingMs: 0 });
  await services().webhooks.update(webhook.id, { enabled: true });
  await deliver(delivery!);
  expect(await receiver.until(1)).toHaveLength(1);
  const [orphan] = await happen(['PAYMENT_MADE']);
  await services().webhooks.delete(webhook.id);
  await em().insert(WebhookDelivery, { ...orphan!, lastStatus: null, lastError: null });
  await deliver(orphan!);
  expect(await em().count(WebhookDelivery, { webhookId: webhook.id })).toBe(0);
  ({ webhook: { id: webhook.id } } = await services().webhooks.create({ url: receiver.url, events: ['PAYMENT_MADE'] }));
});

test('an admin adds, changes and lists webhooks; the secret is told once, and a URL that is not https is refused', async () => {
  const client = frontrow.client();
  const create = (url: string, events = ['PAYMENT_MADE']) =>
    client.raw('mutation ($input: CreateWebhookInput!) { createWebhook(input: $input) { secret webhook { id url events enabled } } }', { input: { url, events } }, admin);
  const { data } = await create('https://shop.example.com/hook', ['PAYMENT_MADE', 'CHARGE_MADE', 'PAYMENT_MADE']);
  expect(data.createWebhook).toEqual({ secret: expect.stringMatching(/^[\w-]{43}$/), webhook: { id: expect.any(String), url: 'https://shop.example.com/hook', events: ['PAYMENT_MADE', 'CHARGE_MADE'], enabled: true } });
  for (const url of ['ftp://example.com', 'http://example.com/', 'https://user:password@example.com/', 'nothing', `https://example.com/${'x'.repeat(600)}`]) expect({ url, code: codeOf(await create(url)) }).toEqual({ url, code: 'BAD_USER_INPUT' });
  expect(codeOf(await create('https://example.com', []))).toBe('BAD_USER_INPUT');
  const { id } = data.createWebhook.webhook;
  const update = await client.raw('mutation ($id: ID!, $input: UpdateWebhookInput!) { updateWebhook(id: $id, input: $input) { url events enabled } }', { id, input: { enabled: false } }, admin);
  expect(update.data.updateWebhook).toEqual({ url: 'https://shop.example.com/hook', events: ['PAYMENT_MADE', 'CHARGE_MADE'], enabled: false });
  const listed = await client.raw('{ webhooks(first: 1) { nodes { id } pageInfo { hasNextPage } } }', {}, admin);
  expect(listed.data.webhooks).toEqual({ nodes: [{ id }], pageInfo: { hasNextPage: true } });
  const removed = await client.raw('mutation ($id: ID!) { deleteWebhook(id: $id) { id } }', { id }, admin);
  expect(removed.data.deleteWebhook).toEqual({ id });
  expect(codeOf(await client.raw('mutation ($id: ID!) { deleteWebhook(id: $id) { id } }', { id }, admin))).toBe('NOT_FOUND');
});

describe('with a worker', () => {
  let worker: Awaited<ReturnType<typeof run>>;
  beforeEach(async () => {
    worker = await run(testConfig({ ROLES: 'worker', SWEEP_INTERVAL_MS: '200' }), frontrow.app.stores, createLogger('silent'));
  });
  afterEach(() => worker.close());

  test('P3: while a webhook hangs payments are made, and the delivery is under way beside them', async () => {
    const sale = saleOf(frontrow);
    const concert = await frontrow.build.concert({ seats: 3 });
    const buyer = await frontrow.build.admittedBuyer(concert.id, { balance: 50_000 });
    receiver.answerWith('hang');
    const holds = [await sale.hold(buyer, concert.scheduleId, [1]), await sale.hold(buyer, concert.scheduleId, [2])];
    const [request] = await receiver.until(1);
    for (const { id } of holds) only(await sale.pay(buyer, id), 'Payment');
    for (const { id } of holds) expect((await sale.reservation(buyer, id))?.status).toBe('CONFIRMED');
    // All the while the receiver has answered nothing.
    expect(await em().count(WebhookDelivery, { webhookId: webhook.id, state: 'DELIVERED' })).toBe(0);
    receiver.answerWith(200);
    for (const { answer } of receiver.received) answer(200);
    expect(request!.event.type).toBe('RESERVATION_HELD');
    const deliveries = await eventually(async () => (await em().count(WebhookDelivery, { webhookId: webhook.id, state: 'DELIVERED' })) === 4 && receiver.received, 'all four');
    for (const { id } of holds) expect(deliveries.filter(({ event }) => event.reservationId === id).map(({ event }) => event.type)).toEqual(['RESERVATION_HELD', 'PAYMENT_MADE']);
  });

  test('P3: what failed comes again by itself, and so does a delivery whose job was lost', async () => {
    receiver.answerWith(500);
    const reservationId = uuid();
    await happen(['RESERVATION_HELD', 'PAYMENT_MADE'], reservationId);
    await receiver.until(1);
    receiver.answerWith(200);
    await eventually(async () => (await em().count(WebhookDelivery, { orderKey: reservationId, state: 'DELIVERED' })) === 2, 'both deliveries');
    const lost = uuid();
    await em().insert(WebhookDelivery, {
      id: lost, webhookId: webhook.id, eventId: uuid(), eventType: 'PAYMENT_MADE', orderKey: lost, sequence: 1, body: '{}', state: 'PENDING', attempts: 0,
      nextAt: new Date(Date.now() - 5000), lastStatus: null, lastError: null, createdAt: new Date(),
    });
    await eventually(async () => (await stateOf(lost)).state === 'DELIVERED', 'the delivery without a job');
  });
});
