import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { v7 as uuid } from 'uuid';
import { keys } from '../../src/redis/keys.js';
import type { DrillRun } from '../drill.js';
import type { World } from './world.js';

/** What other systems are told: each event at least once, those of one reservation in their order, in the stream and at a webhook. */

const TYPES = ['RESERVATION_HELD', 'RESERVATION_EXPIRED', 'RESERVATION_CANCELLED', 'PAYMENT_MADE', 'PAYMENT_REFUNDED'];
/** A receiver that takes its time keeps jobs under way. */
const ANSWERS_AFTER_MS = 120;
const FAILS_EVERY = 15;

export interface Webhook {
  /** Ids of events in the order of their first arrival. */
  readonly arrivals: readonly string[];
  requests(): number;
}

/** One that is told of everything that happens to reservations. */
export async function openWebhook(run: DrillRun, world: World): Promise<Webhook> {
  const arrivals = new Set<string>();
  let requests = 0;
  const order: string[] = [];
  const server = createServer((request, response) => {
    requests += 1;
    const id = String(request.headers['frontrow-event-id']);
    const fails = requests % FAILS_EVERY === 0;
    request.resume().on('end', () => {
      void delay(ANSWERS_AFTER_MS).then(() => {
        if (!fails && !arrivals.has(id)) order.push(id);
        if (!fails) arrivals.add(id);
        response.writeHead(fails ? 500 : 204).end();
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  run.closing(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  await world.app.transactions.fork().execute('insert into webhook (id, url, events, secret, enabled, created_at) values (?, ?, ?, ?, 1, sysdate(3))', [uuid(), url, JSON.stringify(TYPES), 'none']);
  return { arrivals: order, requests: () => requests };
}

interface EventRow {
  eventId: string;
  type: string;
  reservationId: string;
}

/** Once everything has settled. `arrivals` are those of a webhook that was there from the beginning. */
export async function judgeTold(run: DrillRun, world: World, arrivals: readonly string[]): Promise<void> {
  const rows = await world.app.transactions.fork().execute<EventRow[]>(
    'select event_id as eventId, type, reservation_id as reservationId from outbox_event where reservation_id is not null order by id',
  );
  for (const [what, count] of Map.groupBy(rows, ({ reservationId, type }) => `${type} of reservation ${reservationId}`)) {
    run.expect(count.length === 1, `each change is told of by one event: ${count.length} times ${what}`);
  }
  const streamed = (await world.app.redis.xrange(keys.events(), '-', '+')).map(([, pairs]) => pairs[pairs.indexOf('id') + 1]!);
  judgeOrder(run, 'the stream', rows, streamed);
  judgeOrder(run, 'the webhook', rows, arrivals);
  run.figure('events of reservations', rows.length);
  run.figure('events in the stream more than once', streamed.length - new Set(streamed).size);
}

function judgeOrder(run: DrillRun, where: string, rows: readonly EventRow[], told: readonly string[]): void {
  const first = new Map<string, number>();
  told.forEach((id, index) => first.has(id) || first.set(id, index));
  const missing = rows.filter(({ eventId }) => !first.has(eventId));
  run.expect(missing.length === 0, `every event has come to ${where}: ${missing.length} have not, such as ${missing[0]?.type} of reservation ${missing[0]?.reservationId}`);
  for (const [reservationId, events] of Map.groupBy(rows, (row) => row.reservationId)) {
    const places = events.flatMap(({ eventId }) => first.get(eventId) ?? []);
    const inOrder = places.every((place, index) => index === 0 || place > places[index - 1]!);
    run.expect(inOrder, `the events of reservation ${reservationId} came to ${where} in their order: ${events.map(({ type, eventId }) => `${type} as number ${first.get(eventId)}`).join(', ')}`);
  }
}
