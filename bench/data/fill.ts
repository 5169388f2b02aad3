import type { Connection } from 'mysql2/promise';
import { idSql } from '../support/ids.js';

/** Rows of a long sale, made by the server itself: what reads and indexes are measured on. */

/** As in a hall: how many seats a date has does not grow with the number of dates. */
const SEATS_PER_DATE_MAX = 5000;
const SECTIONS_PER_DATE = 100;
const DATES_PER_CONCERT = 2;
/** Of each date: seats up to here are sold, after it held, after those free. */
const SOLD_SHARE = 0.4;
const TAKEN_SHARE = 0.5;
/** Holds that are over and not yet written down, wherever a sweeper keeps up. */
const OVERDUE_HOLDS = 150;
const UNPUBLISHED_EVENTS = 100;

export interface Filled {
  seats: number;
  reservations: number;
  users: number;
  dates: number;
  /** The seats behind this number are free, up to `seatsPerDate`. */
  takenPerDate: number;
  seatsPerDate: number;
}

/** Rows of one statement: small enough that progress is seen and the undo log stays small. */
const PART = 100_000;

/** `meanwhile` is begun as soon as the concerts are on sale. */
export async function fill(connection: Connection, seats: number, users: number, meanwhile: () => Promise<unknown> = () => Promise.resolve()): Promise<Filled> {
  const seatsPerDate = Math.min(seats, SEATS_PER_DATE_MAX);
  const filled = { seats, users, dates: seats / seatsPerDate, seatsPerDate, takenPerDate: seatsPerDate * TAKEN_SHARE, reservations: seats * TAKEN_SHARE };
  await connection.query('set session unique_checks = 0, foreign_key_checks = 0');
  await write(connection, catalogueOf(filled));
  await Promise.all([write(connection, salesOf(filled)), meanwhile()]);
  await connection.query('analyze table seat, reservation, reservation_seat, payment, queue_pass, outbox_event, session, user, schedule, concert');
  return filled;
}

interface Step {
  rows: number;
  sql(sequence: string): string;
}

async function write(connection: Connection, steps: readonly Step[]): Promise<void> {
  for (const { rows, sql } of steps) {
    for (let from = 1; from <= rows; from += PART) await connection.query(sql(`seq_${from}_to_${Math.min(rows, from + PART - 1)}`));
  }
}

const concertOf = (date: string): string => idSql('concert', `(${date} div ${DATES_PER_CONCERT}) + 1`);

function catalogueOf({ dates, seatsPerDate }: Filled): Step[] {
  const concerts = Math.ceil(dates / DATES_PER_CONCERT);
  return [
    { rows: 1, sql: (of) => `insert into venue select ${idSql('venue', 'seq')}, 'Hall', null, 'Asia/Seoul', '[]', now(3) from ${of}` },
    {
      rows: concerts,
      sql: (of) => `insert into concert (id, venue_id, title, artist, sale_opens_at, created_at) select ${idSql('concert', 'seq')}, ${idSql('venue', '1')}, concat('Night ', seq), 'The Many', now(3) - interval 1 hour, now(3) from ${of}`,
    },
    { rows: concerts, sql: (of) => `insert into concert_price select ${idSql('concert', 'seq')}, 'R', 10000 from ${of}` },
    {
      rows: dates,
      sql: (of) => `insert into schedule (id, concert_id, starts_at, total_seats, created_at) select ${idSql('schedule', 'seq')}, ${concertOf('(seq - 1)')}, now(3) + interval 30 day, ${seatsPerDate}, now(3) from ${of}`,
    },
  ];
}

function salesOf({ seats, users, seatsPerDate, takenPerDate, reservations }: Filled): Step[] {
  const soldPerDate = seatsPerDate * SOLD_SHARE;
  const dateOf = `((seq - 1) div ${takenPerDate})`;
  const numberOf = `((seq - 1) mod ${takenPerDate}) + 1`;
  const userOf = idSql('user', `((seq * 7919) mod ${users}) + 1`);
  const isSold = `${numberOf} <= ${soldPerDate}`;
  const overdue = (held: string): string => `if(${held} <= ${OVERDUE_HOLDS}, now(3) - interval 1 minute, now(3) + interval 1 day)`;
  const heldIndex = `(${dateOf} * ${takenPerDate - soldPerDate} + ${numberOf} - ${soldPerDate})`;
  return [
    { rows: users, sql: (of) => `insert into user select ${idSql('user', 'seq')}, concat('u', seq, '@example.com'), concat('Buyer ', seq), 'none', 'USER', now(3) from ${of}` },
    { rows: users, sql: (of) => `insert into wallet select ${idSql('user', 'seq')}, 1000000, 1 from ${of}` },
    { rows: users, sql: (of) => `insert into session select ${idSql('session', 'seq')}, ${idSql('user', 'seq')}, 1, now(3), now(3) + interval 7 day, null, now(3) from ${of}` },
    {
      rows: seats,
      sql: (of) => {
        const [date, number] = [`((seq - 1) div ${seatsPerDate})`, `((seq - 1) mod ${seatsPerDate}) + 1`];
        const held = `${number} > ${soldPerDate} and ${number} <= ${takenPerDate}`;
        const seatsReservation = `if(${number} <= ${takenPerDate}, ${idSql('reservation', `${date} * ${takenPerDate} + ${number}`)}, null)`;
        return `insert into seat (schedule_id, number, id, section, row_name, grade, price, status, reservation_id, held_until)
          select ${idSql('schedule', `${date} + 1`)}, ${number}, ${idSql('seat', 'seq')}, concat('S', (${number} - 1) div ${seatsPerDate / SECTIONS_PER_DATE} + 1), ((${number} - 1) div 10) mod 5 + 1, 'R', 10000,
            if(${number} <= ${soldPerDate}, 'SOLD', if(${number} <= ${takenPerDate}, 'HELD', 'AVAILABLE')), ${seatsReservation},
            if(${held}, ${overdue(`(${date} * ${takenPerDate - soldPerDate} + ${number} - ${soldPerDate})`)}, null) from ${of}`;
      },
    },
    {
      rows: reservations,
      sql: (of) => `insert into reservation select ${idSql('reservation', 'seq')}, ${userOf}, ${concertOf(dateOf)}, ${idSql('schedule', `${dateOf} + 1`)}, if(${isSold}, 'CONFIRMED', 'HELD'), 1, 10000,
        if(${isSold}, now(3), ${overdue(heldIndex)}), now(3), now(3) from ${of}`,
    },
    {
      rows: reservations,
      sql: (of) => `insert into reservation_seat select ${idSql('reservation', 'seq')}, ${numberOf}, ${idSql('seat', `${dateOf} * ${seatsPerDate} + ${numberOf}`)}, ${idSql('seat', `${dateOf} * ${seatsPerDate} + ${numberOf}`)}, 'R', 10000 from ${of}`,
    },
    {
      rows: reservations,
      sql: (of) => `insert into payment select ${idSql('payment', 'seq')}, ${idSql('reservation', 'seq')}, ${userOf}, 'PAID', 10000, 0, now(3), null from ${of} where ${isSold}`,
    },
    {
      rows: reservations,
      sql: (of) => `insert ignore into queue_pass (concert_id, user_id, place, admitted_at, expires_at, ended_at, ended_by)
        select ${concertOf(dateOf)}, ${userOf}, seq, now(3), now(3) + interval if(${numberOf} > ${takenPerDate - 10}, 1, -1) hour, if(${numberOf} > ${takenPerDate - 10}, null, now(3)), if(${numberOf} > ${takenPerDate - 10}, null, 'PAID') from ${of}`,
    },
    {
      rows: reservations,
      sql: (of) => `insert into outbox_event (event_id, type, user_id, concert_id, reservation_id, payload, occurred_at, published_at)
        select ${idSql('event', 'seq')}, 'RESERVATION_HELD', ${userOf}, ${concertOf(dateOf)}, ${idSql('reservation', 'seq')}, '{"version":1}', now(3), if(seq > ${reservations - UNPUBLISHED_EVENTS}, null, now(3)) from ${of}`,
    },
  ];
}
