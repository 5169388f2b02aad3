import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Queue } from 'bullmq';
import { v7 as uuid } from 'uuid';
import type { JobName } from '../../src/redis/jobs.js';
import { keys } from '../../src/redis/keys.js';
import { DrillBuyer } from '../support/buyer.js';
import { must, type Lane } from './lane.js';

/** Work for a job, and how one sees that it was done, whoever did it. */

export interface Work {
  what: string;
  done(): Promise<boolean>;
}

export interface DrilledJob {
  name: JobName;
  through: readonly string[];
  /** How long after a healthy worker is there it may take. */
  withinMs: number;
  give(lane: Lane): Promise<Work>;
}

/** Ten seconds, and what asking takes. */
const HEALED_MS = 11_000;
/** An attempt is claimed for 15 s, and the job of a worker that died is given to another after 30 s. */
const DELIVERED_MS = 75_000;
const PRICE = 10_000;

const isEnded = async (lane: Lane, id: string, status: string): Promise<boolean> =>
  (await lane.count(
    "reservation r where r.id = ? and r.status = ? and not exists (select 1 from reservation_seat s where s.reservation_id = r.id and s.live_seat_id is not null) and not exists (select 1 from outbox_event e where e.reservation_id = r.id and e.published_at is null)",
    [id, status],
  )) === 1;

const holdExpiry: DrilledJob = {
  name: 'hold-expiry',
  through: ['before commit', 'after commit', 'after seat-free', 'before publishing'],
  withinMs: HEALED_MS,
  give: async (lane) => {
    const seat = lane.seat();
    const id = await lane.hold(await lane.buyer(), seat);
    return { what: `hold ${id} ends and others get its seat`, done: async () => (await isEnded(lane, id, 'EXPIRED')) && lane.isFreeForOthers(seat) };
  },
};

const sweep: DrilledJob = {
  name: 'sweep',
  through: ['before commit', 'after commit', 'after seat-free', 'before publishing', 'before adding a job'],
  withinMs: HEALED_MS,
  give: async (lane) => {
    const seat = lane.seat();
    const id = await lane.hold(await lane.buyer(), seat);
    const queue = new Queue('hold-expiry', { connection: lane.world.app.redis, prefix: keys.jobs() });
    await queue.remove(id);
    // It may have been begun by the worker that died, and is then its own for a while: that it arrives is asked when all has come to rest.
    await addLateDelivery(lane);
    return { what: `hold ${id}, whose job was lost, ends`, done: () => isEnded(lane, id, 'EXPIRED') };
  },
};

/** One whose job was lost. */
async function addLateDelivery(lane: Lane): Promise<void> {
  const [id, eventId] = [uuid(), uuid()];
  const { webhookId } = await receiverOf(lane);
  await lane.rows(
    `insert into webhook_delivery (id, webhook_id, event_id, event_type, order_key, sequence, body, state, attempts, next_at, created_at)
     values (?, ?, ?, 'CHARGE_MADE', ?, 1, '{}', 'PENDING', 0, sysdate(3) - interval 1 minute, sysdate(3))`,
    [id, webhookId, eventId, eventId],
  );
}

const admission: DrilledJob = {
  name: 'admission',
  through: ['after queue-propose', 'before commit', 'after commit', 'after queue-admit', 'after queue-tell'],
  withinMs: HEALED_MS,
  give: async (lane) => {
    const buyer = new DrillBuyer(lane.client, await lane.world.build.buyer());
    must(await lane.client.untilKnown((via) => buyer.join(lane.concert.id, via)));
    const isActive = async (): Promise<boolean> => (await lane.world.app.redis.zscore(keys.queueActive(lane.concert.id), buyer.id)) !== null;
    const passes = () => lane.count('queue_pass where concert_id = ? and user_id = ? and ended_at is null and admitted_at is not null', [lane.concert.id, buyer.id]);
    return { what: `user ${buyer.id} is admitted, with one pass that is written down as handed over`, done: async () => (await isActive()) && (await passes()) === 1 };
  },
};

/** It keeps seats at the gate only for a process that died before it said that it had: mutations die there. */
const relay: DrilledJob = {
  name: 'relay',
  through: ['after relay-publish', 'before commit', 'after commit', 'before adding a job', 'before dropping relayed queue events', 'after seat-free', 'before publishing'],
  withinMs: HEALED_MS,
  give: async (lane) => {
    await receiverOf(lane);
    const buyer = await lane.buyer();
    const given = await lane.hold(buyer, lane.seat());
    must(await lane.client.untilKnown((via) => buyer.cancel(given, via)));
    await lane.pay(buyer, await lane.hold(buyer, lane.seat()));
    must(await lane.client.untilKnown((via) => buyer.charge(1000, 'relayed', via)));
    must(await lane.client.untilKnown((via) => buyer.join(lane.concert.id, via)));
    const told = ['RESERVATION_HELD', 'RESERVATION_CANCELLED', 'PAYMENT_MADE', 'CHARGE_MADE', 'QUEUE_JOINED'];
    return {
      what: `the events of user ${buyer.id} are in the stream`,
      done: async () => {
        const types = await streamedTypes(lane, buyer.id);
        return told.every((type) => types.includes(type));
      },
    };
  },
};

const webhook: DrilledJob = {
  name: 'webhook',
  through: ['before commit', 'after commit', 'before sending to a webhook', 'after sending to a webhook'],
  withinMs: DELIVERED_MS,
  give: async (lane) => {
    const { arrivals } = await receiverOf(lane);
    const buyer = new DrillBuyer(lane.client, await lane.world.build.buyer());
    must(await lane.client.untilKnown((via) => buyer.charge(1000, 'told', via)));
    const delivered = () => lane.rows<{ eventId: string }>("select event_id as eventId from webhook_delivery where order_key = ? and state = 'DELIVERED'", [buyer.id]);
    return {
      what: `the charge of user ${buyer.id} is delivered`,
      done: async () => {
        const [row] = await delivered();
        return row !== undefined && arrivals.has(row.eventId);
      },
    };
  },
};

const cancellation: DrilledJob = {
  name: 'cancellation',
  through: ['before commit', 'after commit', 'after seat-free', 'before publishing'],
  withinMs: HEALED_MS,
  give: async (lane) => {
    const concert = await lane.world.build.concert({ seats: 2, price: PRICE });
    const [account] = await lane.world.build.admit(concert.id, [await lane.world.build.buyer({ balance: PRICE })]);
    const buyer = new DrillBuyer(lane.client, account!);
    const { id } = must(await lane.client.untilKnown((via) => buyer.reserve(concert.scheduleId, [1], via)));
    must(await lane.client.untilKnown((via) => buyer.pay(id, via)));
    lane.cancelledDates.add(concert.scheduleId);
    must(await lane.ask('cancelSchedule', 'mutation ($id: ID!) { cancelSchedule(id: $id) { status } }', { id: concert.scheduleId }, lane.admin, lane.well));
    return {
      what: `reservation ${id} of the cancelled date is refunded`,
      done: async () => (await isEnded(lane, id, 'REFUNDED')) && (await lane.count('wallet where user_id = ? and balance = ?', [buyer.id, PRICE])) === 1,
    };
  },
};

/** In an order in which none leaves work for the next. */
export const drilledJobs: DrilledJob[] = [admission, relay, holdExpiry, sweep, cancellation, webhook];

/** As far back as a case can be. */
const STREAM_LOOKED_AT = 3000;

async function streamedTypes(lane: Lane, userId: string): Promise<string[]> {
  const entries = await lane.world.app.redis.xrevrange(keys.events(), '+', '-', 'COUNT', STREAM_LOOKED_AT);
  return entries.map(([, pairs]) => fieldsOf(pairs)).filter((fields) => fields['userId'] === userId).map((fields) => fields['type']!);
}

const fieldsOf = (pairs: readonly string[]): Record<string, string> =>
  Object.fromEntries(Array.from({ length: pairs.length / 2 }, (_, index) => [pairs[2 * index]!, pairs[2 * index + 1]!]));

interface Receiver {
  webhookId: string;
  /** Ids of the events that have arrived. */
  arrivals: Set<string>;
}

const receivers = new WeakMap<Lane, Promise<Receiver>>();

/** One for the lane, which wants the events of charges. */
function receiverOf(lane: Lane): Promise<Receiver> {
  const known = receivers.get(lane) ?? openReceiver(lane);
  receivers.set(lane, known);
  return known;
}

async function openReceiver(lane: Lane): Promise<Receiver> {
  const arrivals = new Set<string>();
  const server: Server = createServer((request, response) => {
    arrivals.add(String(request.headers['frontrow-event-id']));
    request.resume();
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  lane.run.closing(() => {
    server.closeAllConnections();
    server.close();
  });
  const webhookId = uuid();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  await lane.rows(`insert into webhook (id, url, events, secret, enabled, created_at) values (?, ?, '["CHARGE_MADE"]', 'none', 1, sysdate(3))`, [webhookId, url]);
  return { webhookId, arrivals };
}
