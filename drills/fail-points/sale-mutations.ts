import { keys } from '../../src/redis/keys.js';
import { DrillBuyer } from '../support/buyer.js';
import type { Lane } from './lane.js';
import { saysOk, unless, type DrilledMutation } from './rehearsal.js';

/** What a buyer does on the night. */

const PRICE = 10_000;
const BALANCE = 50_000;

const balanceOf = async (lane: Lane, buyer: DrillBuyer): Promise<number> => Number((await lane.rows<{ balance: number }>('select balance from wallet where user_id = ?', [buyer.id]))[0]!.balance);
const liveOf = (lane: Lane, seat: number): Promise<{ id: string; status: string }[]> =>
  lane.rows(
    "select r.id, r.status from reservation r join reservation_seat s on s.reservation_id = r.id where r.schedule_id = ? and s.number = ? and r.status in ('HELD', 'CONFIRMED')",
    [lane.concert.scheduleId, seat],
  );
const statusOf = async (lane: Lane, reservationId: string): Promise<string> => (await lane.rows<{ status: string }>('select status from reservation where id = ?', [reservationId]))[0]!.status;
const hasPass = async (lane: Lane, buyer: DrillBuyer): Promise<boolean> => (await lane.world.app.redis.zscore(keys.queueActive(lane.concert.id), buyer.id)) !== null;
const seatStatus = async (lane: Lane, seat: number): Promise<string> =>
  (await lane.rows<{ status: string }>('select status from seat where schedule_id = ? and number = ?', [lane.concert.scheduleId, seat]))[0]!.status;

const join: DrilledMutation = {
  name: 'joinQueue',
  through: ['before commit', 'after commit', 'after queue-join'],
  arrange: async (lane) => {
    // Its queue has no epoch yet.
    const concert = await lane.world.build.concert({ seats: 1 });
    const buyer = new DrillBuyer(lane.client, await lane.world.build.buyer());
    return {
      call: (via) => buyer.join(concert.id, via),
      wrong: async (reply) => {
        const again = await buyer.join(concert.id, lane.well);
        const placeOf = ({ operation }: typeof reply): unknown => (operation.value as { place: number } | undefined)?.place;
        const { redis } = lane.world.app;
        const known = await Promise.all([redis.zcard(keys.queueWaiting(concert.id)), redis.zcard(keys.queueActive(concert.id))]);
        return unless({
          ...saysOk(reply),
          'joining once more finds the same place': again.outcome === 'ok' && placeOf(again) === placeOf(reply),
          'the user stands in the line once': known[0] + known[1] === 1,
        });
      },
      healed: async () => true,
    };
  },
};

const leave: DrilledMutation = {
  name: 'leaveQueue',
  through: ['before commit', 'after commit', 'after queue-leave'],
  arrange: async (lane) => {
    const buyer = await lane.buyer();
    const openRows = () => lane.count('queue_pass where concert_id = ? and user_id = ? and ended_at is null', [lane.concert.id, buyer.id]);
    return {
      call: (via) => buyer.leave(lane.concert.id, via),
      wrong: async (reply) =>
        unless({
          ...saysOk(reply),
          'the pass is given up': !(await hasPass(lane, buyer)),
          'its row is ended within 10 s': await lane.eventually(async () => (await openRows()) === 0, 10_000),
        }),
      // Given up in Redis, it is written down.
      healed: async () => (await hasPass(lane, buyer)) || (await openRows()) === 0,
    };
  },
};

const reserve: DrilledMutation = {
  name: 'reserve',
  through: ['after seat-take', 'before commit', 'after commit', 'after seat-keep', 'before adding a job', 'before publishing'],
  arrange: async (lane) => {
    const buyer = await lane.buyer();
    const seat = lane.seat();
    return {
      call: (via) => buyer.reserve(lane.concert.scheduleId, [seat], via),
      wrong: async (reply) => {
        const live = await liveOf(lane, seat);
        const id = reply.outcome === 'ok' ? (reply.value as { id: string }).id : null;
        return unless({ ...saysOk(reply), 'the seat has one live reservation, the one that was answered': live.length === 1 && live[0]!.id === id });
      },
      // What was never committed keeps nobody away.
      healed: async () => (await liveOf(lane, seat)).length === 1 || lane.isFreeForOthers(seat),
    };
  },
};

const cancel: DrilledMutation = {
  name: 'cancelReservation',
  through: ['before commit', 'after commit', 'after seat-free', 'before publishing'],
  arrange: async (lane) => {
    const buyer = await lane.buyer();
    const seat = lane.seat();
    const id = await lane.hold(buyer, seat);
    return {
      call: (via) => buyer.cancel(id, via),
      wrong: async (reply) => unless({ ...saysOk(reply), 'the reservation is CANCELLED': (await statusOf(lane, id)) === 'CANCELLED', 'others get the seat at once': await lane.isFreeForOthers(seat) }),
      healed: async () => (await statusOf(lane, id)) !== 'CANCELLED' || lane.isFreeForOthers(seat),
    };
  },
};

const charge: DrilledMutation = {
  name: 'charge',
  through: ['before commit', 'after commit'],
  arrange: async (lane) => {
    const buyer = await lane.buyer();
    const key = lane.unique('key');
    return {
      call: (via) => buyer.charge(1234, key, via),
      wrong: async (reply) => {
        const charges = await lane.rows<{ id: string }>('select id from charge where user_id = ? and amount = 1234', [buyer.id]);
        const id = reply.outcome === 'ok' ? (reply.value as { id: string }).id : null;
        return unless({ ...saysOk(reply), 'there is one charge, the one that was answered': charges.length === 1 && charges[0]!.id === id, 'it was added once': (await balanceOf(lane, buyer)) === BALANCE + 1234 });
      },
    };
  },
};

const pay: DrilledMutation = {
  name: 'pay',
  through: ['before commit', 'after commit', 'after seat-keep', 'after queue-end', 'before publishing'],
  arrange: async (lane) => {
    const buyer = await lane.buyer();
    const seat = lane.seat();
    const reservationId = await lane.hold(buyer, seat);
    const payments = () => lane.rows<{ id: string }>('select id from payment where reservation_id = ?', [reservationId]);
    return {
      call: (via) => buyer.pay(reservationId, via),
      wrong: async (reply) => {
        const made = await payments();
        const id = reply.outcome === 'ok' ? (reply.value as { id: string }).id : null;
        return unless({
          ...saysOk(reply),
          'there is one payment, the one that was answered': made.length === 1 && made[0]!.id === id,
          'it was taken once': (await balanceOf(lane, buyer)) === BALANCE - PRICE,
          'the seat is SOLD': (await seatStatus(lane, seat)) === 'SOLD',
          'the pass is ended': !(await hasPass(lane, buyer)),
          'nobody else gets the seat': !(await lane.isFreeForOthers(seat)),
        });
      },
      healed: async () => (await payments()).length === 0 || !(await hasPass(lane, buyer)),
    };
  },
};

const refund: DrilledMutation = {
  name: 'refund',
  through: ['before commit', 'after commit', 'after seat-free', 'before publishing'],
  arrange: async (lane) => {
    const buyer = await lane.buyer();
    const seat = lane.seat();
    const paymentId = await lane.pay(buyer, await lane.hold(buyer, seat));
    return {
      call: (via) => buyer.refund(paymentId, via),
      wrong: async (reply) =>
        unless({ ...saysOk(reply), 'the money came back once': (await balanceOf(lane, buyer)) === BALANCE, 'others get the seat at once': await lane.isFreeForOthers(seat) }),
      healed: async () => (await seatStatus(lane, seat)) !== 'AVAILABLE' || lane.isFreeForOthers(seat),
    };
  },
};

export const saleMutations: DrilledMutation[] = [join, leave, reserve, cancel, charge, pay, refund];
