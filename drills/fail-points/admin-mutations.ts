import { v7 as uuid } from 'uuid';
import type { Lane } from './lane.js';
import { saysOk, unless, type DrilledMutation, type Rehearsal } from './rehearsal.js';

/**
 * What an admin does. What changes or deletes is the same the second time, or gone. What is made anew has no key by which it could be known again: where the answer
 * was lost the admin looks before making it once more, and here is made twice; each time it is there wholly.
 */

interface Asked {
  text: string;
  variables: Record<string, unknown>;
  /** What is not so when the call has succeeded. */
  wrong(answer: unknown): Promise<string[]>;
  /** A member of a union. */
  succeeds?: string;
  /** What the second of two calls may say, which finds nothing any more. */
  codeWhenGone?: string;
}

function admin(name: string, arrange: (lane: Lane) => Promise<Asked>, through: readonly string[] = ['before commit', 'after commit']): DrilledMutation {
  return {
    name,
    through,
    arrange: async (lane): Promise<Rehearsal> => {
      const { text, variables, wrong, succeeds, codeWhenGone } = await arrange(lane);
      return {
        call: (via) => lane.ask(name, text, variables, lane.admin, via, succeeds),
        wrong: async (reply, died) => {
          const gone = died !== null && reply.outcome === 'fail' && reply.code === codeWhenGone;
          return [...(gone ? [] : unless(saysOk(reply))), ...(await wrong(reply.outcome === 'ok' ? reply.value : null))];
        },
      };
    },
  };
}

const SECTIONS = [{ name: 'Floor', rows: [{ name: '1', seatCount: 3, grade: 'R' }] }];
const HOUR_MS = 3_600_000;
const inHours = (hours: number): string => new Date(Date.now() + hours * HOUR_MS).toISOString();

/** How often it is there, and whether each time wholly. */
const thereOnceOrTwice = async (lane: Lane, what: string, sql: string, params: unknown[]): Promise<string[]> => {
  const count = await lane.count(sql, params);
  return unless({ [`${what} is there once, or twice where the first answer was lost, and not ${count} times`]: count === 1 || count === 2 });
};

const isSet = async (lane: Lane, what: string, sql: string, params: unknown[]): Promise<string[]> => unless({ [what]: (await lane.count(sql, params)) === 1 });

const webhook = async (lane: Lane): Promise<string> => {
  const id = uuid();
  await lane.rows(
    `insert into webhook (id, url, events, secret, enabled, created_at) values (?, 'https://receiver.invalid/', '["PAYMENT_REFUNDED"]', 'none', 0, sysdate(3))`,
    [id],
  );
  return id;
};

const deadDelivery = async (lane: Lane): Promise<{ webhookId: string; deliveryId: string }> => {
  const [webhookId, deliveryId, eventId] = [await webhook(lane), uuid(), uuid()];
  await lane.rows(
    `insert into webhook_delivery (id, webhook_id, event_id, event_type, order_key, sequence, body, state, attempts, next_at, created_at)
     values (?, ?, ?, 'PAYMENT_REFUNDED', ?, 1, '{}', 'DEAD', 16, sysdate(3), sysdate(3))`,
    [deliveryId, webhookId, eventId, eventId],
  );
  return { webhookId, deliveryId };
};

const isRevived = (lane: Lane, deliveryId: string): Promise<string[]> =>
  isSet(lane, 'the delivery is tried anew', "webhook_delivery where id = ? and state = 'PENDING' and attempts = 0", [deliveryId]);

const ofVenues: DrilledMutation[] = [
  admin('createVenue', async (lane) => {
    const name = lane.unique('Hall');
    return {
      text: 'mutation ($input: CreateVenueInput!) { createVenue(input: $input) { id } }',
      variables: { input: { name, timeZone: 'Asia/Seoul', sections: SECTIONS } },
      wrong: () => thereOnceOrTwice(lane, 'the venue', 'venue where name = ?', [name]),
    };
  }),
  admin('updateVenue', async (lane) => {
    const { venueId } = await lane.world.build.concert({ seats: 1 });
    const name = lane.unique('Hall');
    return {
      text: 'mutation ($id: ID!, $input: UpdateVenueInput!) { updateVenue(id: $id, input: $input) { id } }',
      variables: { id: venueId, input: { name } },
      wrong: () => isSet(lane, 'the venue has its new name', 'venue where id = ? and name = ?', [venueId, name]),
    };
  }),
  admin('createConcert', async (lane) => {
    const { venueId } = await lane.world.build.concert({ seats: 1 });
    const title = lane.unique('Night');
    return {
      text: 'mutation ($input: CreateConcertInput!) { createConcert(input: $input) { id } }',
      variables: { input: { venueId, title, artist: 'Some', saleOpensAt: inHours(1), prices: [{ grade: 'R', amount: 5 }] } },
      wrong: () => thereOnceOrTwice(lane, 'the concert with its price', 'concert c join concert_price p on p.concert_id = c.id where c.title = ?', [title]),
    };
  }),
  admin('updateConcert', async (lane) => {
    const { id } = await lane.world.build.concert({ seats: 1 });
    const title = lane.unique('Night');
    return {
      text: 'mutation ($id: ID!, $input: UpdateConcertInput!) { updateConcert(id: $id, input: $input) { id } }',
      variables: { id, input: { title } },
      wrong: () => isSet(lane, 'the concert has its new title', 'concert where id = ? and title = ?', [id, title]),
    };
  }),
  admin('setPrices', async (lane) => {
    const { id, scheduleId } = await lane.world.build.concert({ seats: 3 });
    return {
      text: 'mutation ($concertId: ID!, $prices: [PriceInput!]!) { setPrices(concertId: $concertId, prices: $prices) { id } }',
      variables: { concertId: id, prices: [{ grade: 'R', amount: 777 }] },
      wrong: async () => unless({ 'list and seats have the new price': (await lane.count('seat s join concert_price p on p.concert_id = ? where s.schedule_id = ? and s.price = 777 and p.amount = 777', [id, scheduleId])) === 3 }),
    };
  }),
  admin('setQueuePolicy', async (lane) => {
    const { id } = await lane.world.build.concert({ seats: 1 });
    return {
      text: 'mutation ($concertId: ID!, $input: QueuePolicyInput!) { setQueuePolicy(concertId: $concertId, input: $input) { activeMax } }',
      variables: { concertId: id, input: { activeMax: 77 } },
      wrong: () => isSet(lane, 'the policy is set', 'concert where id = ? and queue_active_max = 77', [id]),
    };
  }),
];

const ofDates: DrilledMutation[] = [
  admin('createSchedule', async (lane) => {
    const { id } = await lane.world.build.concert({ seats: 1 });
    return {
      text: 'mutation ($input: CreateScheduleInput!) { createSchedule(input: $input) { id } }',
      variables: { input: { concertId: id, startsAt: inHours(24), sections: SECTIONS } },
      wrong: () => thereOnceOrTwice(lane, 'the date with its seats', 'schedule d where d.concert_id = ? and d.total_seats = 3 and (select count(*) from seat where schedule_id = d.id) = 3', [id]),
    };
  }),
  admin('updateSchedule', async (lane) => {
    const { scheduleId } = await lane.world.build.concert({ seats: 1 });
    const startsAt = '2040-01-01T00:00:00.000Z';
    return {
      text: 'mutation ($id: ID!, $input: UpdateScheduleInput!) { updateSchedule(id: $id, input: $input) { id } }',
      variables: { id: scheduleId, input: { startsAt } },
      wrong: () => isSet(lane, 'the date begins at its new time', "schedule where id = ? and starts_at = '2040-01-01'", [scheduleId]),
    };
  }),
  admin('removeSeats', async (lane) => {
    const { scheduleId } = await lane.world.build.concert({ seats: 4 });
    const left = async (): Promise<number> => lane.count('seat s join schedule d on d.id = s.schedule_id and d.total_seats = 2 where s.schedule_id = ?', [scheduleId]);
    return {
      text: 'mutation ($scheduleId: ID!, $seatNumbers: [Int!]!) { removeSeats(scheduleId: $scheduleId, seatNumbers: $seatNumbers) { __typename } }',
      variables: { scheduleId, seatNumbers: [1, 3] },
      codeWhenGone: 'BAD_USER_INPUT',
      wrong: async () => unless({ 'two seats are left, and the date says so': (await left()) === 2 }),
    };
  }),
  admin('deleteSchedule', async (lane) => {
    const { scheduleId } = await lane.world.build.concert({ seats: 2 });
    return {
      text: 'mutation ($id: ID!) { deleteSchedule(id: $id) { __typename } }',
      variables: { id: scheduleId },
      codeWhenGone: 'NOT_FOUND',
      wrong: async () => unless({ 'the date is deleted with its seats': (await lane.count('schedule d where d.id = ? and d.deleted_at is not null and not exists (select 1 from seat where schedule_id = d.id)', [scheduleId])) === 1 }),
    };
  }),
  admin('cancelSchedule', async (lane) => {
    const { scheduleId } = await lane.world.build.concert({ seats: 2 });
    return {
      text: 'mutation ($id: ID!) { cancelSchedule(id: $id) { status } }',
      variables: { id: scheduleId },
      wrong: () => isSet(lane, 'the date is cancelled', 'schedule where id = ? and cancelled_at is not null', [scheduleId]),
    };
  }),
];

const ofWebhooks: DrilledMutation[] = [
  admin('createWebhook', async (lane) => {
    const url = `https://receiver.invalid/${lane.unique('hook')}`;
    return {
      text: 'mutation ($input: CreateWebhookInput!) { createWebhook(input: $input) { secret } }',
      variables: { input: { url, events: ['PAYMENT_REFUNDED'] } },
      wrong: async () => {
        const wrong = await thereOnceOrTwice(lane, 'the webhook', 'webhook where url = ?', [url]);
        // It would get what the other cases tell.
        await lane.rows('delete from webhook where url = ?', [url]);
        return wrong;
      },
    };
  }),
  admin('updateWebhook', async (lane) => {
    const id = await webhook(lane);
    const url = `https://receiver.invalid/${lane.unique('hook')}`;
    return {
      text: 'mutation ($id: ID!, $input: UpdateWebhookInput!) { updateWebhook(id: $id, input: $input) { id } }',
      variables: { id, input: { url } },
      wrong: () => isSet(lane, 'the webhook has its new address', 'webhook where id = ? and url = ?', [id, url]),
    };
  }),
  admin('deleteWebhook', async (lane) => {
    const id = await webhook(lane);
    return {
      text: 'mutation ($id: ID!) { deleteWebhook(id: $id) { id } }',
      variables: { id },
      codeWhenGone: 'NOT_FOUND',
      wrong: async () => unless({ 'the webhook is gone': (await lane.count('webhook where id = ?', [id])) === 0 }),
    };
  }),
  admin('rotateWebhookSecret', async (lane) => {
    const id = await webhook(lane);
    return {
      text: 'mutation ($id: ID!) { rotateWebhookSecret(id: $id) { secret } }',
      variables: { id },
      wrong: (answer) => isSet(lane, 'the secret that was answered is in force', 'webhook where id = ? and secret = ?', [id, (answer as { secret: string } | null)?.secret ?? '']),
    };
  }),
  admin('redeliver', async (lane) => {
    const { deliveryId } = await deadDelivery(lane);
    return {
      text: 'mutation ($deliveryId: ID!) { redeliver(deliveryId: $deliveryId) { state } }',
      variables: { deliveryId },
      wrong: () => isRevived(lane, deliveryId),
    };
  }),
  admin(
    'redeliverAll',
    async (lane) => {
      const { webhookId, deliveryId } = await deadDelivery(lane);
      return {
        text: 'mutation ($webhookId: ID!) { redeliverAll(webhookId: $webhookId) }',
        variables: { webhookId },
        wrong: () => isRevived(lane, deliveryId),
      };
    },
    ['before reviving deliveries', 'after reviving deliveries'],
  ),
];

export const adminMutations: DrilledMutation[] = [...ofVenues, ...ofDates, ...ofWebhooks];
