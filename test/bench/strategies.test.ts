import { STRATEGIES } from '../../bench/strategies/contest.js';
import { Connections } from '../../bench/strategies/connections.js';
import { frontrow as frontrowsOwn } from '../../bench/strategies/frontrow.js';
import { OTHERS } from '../../bench/strategies/others.js';
import { readSeat, takeSeat, writeHold, type Strategy, type Tools } from '../../bench/strategies/strategy.js';
import { addConcert, addUsers } from '../../bench/support/rows.js';
import { idOf } from '../../bench/support/ids.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { v7 as uuid } from 'uuid';

/** The strategies that the bench compares do what they say, so that what is compared is the same work. */

const [BUYERS, SEATS] = [24, 3];

let frontrow: Frontrow;
let tools: Tools;
let dates = 0;
beforeAll(async () => {
  frontrow = await startFrontrow({ brokenOnPurpose: { invariants: 'all', because: 'the other strategies write a part of what a sale writes' } });
  const { database, redis } = frontrow.app.stores;
  if ('url' in database) throw new Error('The stores of tests are on sockets.');
  tools = { connections: new Connections({ socketPath: database.socketPath, user: 'root', database: database.name }, 12), redis, tally: { retries: 0 } };
  await addUsers(frontrow.app.transactions.fork(), BUYERS);
});
afterAll(async () => {
  await tools.connections.close();
  await frontrow.stop();
});

/** All at once; how many got a seat, and in how many live reservations the seats are. */
async function contest(strategy: Strategy): Promise<{ held: number; refused: number; reservations: number; seatsTwice: number }> {
  const date = (dates += 1);
  const em = frontrow.app.transactions.fork();
  await addConcert(em, date, SEATS, 0);
  const answers = await Promise.all(Array.from({ length: BUYERS }, (_, index) => strategy.buy({ buyer: index + 1, date, seat: 1 + (index % SEATS) })));
  const of = "from reservation_seat rs join reservation r on r.id = rs.reservation_id where r.schedule_id = ? and r.status = 'HELD'";
  const rows = await em.execute<{ seat: string; reservations: number }[]>(`select rs.seat_id as seat, count(*) as reservations ${of} group by rs.seat_id`, [idOf('schedule', date)]);
  return {
    held: answers.filter((answer) => answer === 'HELD').length,
    refused: answers.filter((answer) => answer === 'REFUSED').length,
    reservations: rows.reduce((sum, row) => sum + Number(row.reservations), 0),
    seatsTwice: rows.filter((row) => Number(row.reservations) > 1).length,
  };
}

test.each(STRATEGIES)('V8: %s gives each seat to one of those who want it and refuses the others', async (name) => {
  const strategy = name === 'frontrow' ? frontrowsOwn(frontrow.app) : OTHERS[name](tools);
  try {
    expect(await contest(strategy)).toEqual({ held: SEATS, refused: BUYERS - SEATS, reservations: SEATS, seatsTwice: 0 });
  } finally {
    await strategy.close();
  }
});

test('negative control: where nothing keeps buyers apart seats are sold twice, and the count sees it', async () => {
  let waiting = 0;
  let allHaveRead: () => void;
  const together = new Promise<void>((resolve) => (allHaveRead = resolve));
  const careless: Strategy = {
    buy: (wish) =>
      tools.connections.transaction(async (db) => {
        const { id: seatId, status } = await readSeat(db, wish);
        if ((waiting += 1) === 12) allHaveRead();
        await together;
        if (status !== 'AVAILABLE') return { commit: false, answer: 'REFUSED' };
        const id = uuid();
        await takeSeat(db, wish, id);
        await writeHold(db, wish, id, seatId, null);
        return { commit: true, answer: 'HELD' };
      }),
    close: () => Promise.resolve(),
  };
  expect((await contest(careless)).seatsTwice).toBeGreaterThan(0);
});
