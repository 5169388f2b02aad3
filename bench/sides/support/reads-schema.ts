import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { jwtVerify } from 'jose';
import { createPool, type RowDataPacket } from 'mysql2/promise';
import { DateTime, Money } from '../../../src/schema/scalars.js';

/** What the servers that Frontrow is compared with answer from: plain objects in memory for the catalogue and the seats, the database for a user. */

export const typeDefs = /* GraphQL */ `
  scalar DateTime
  scalar Money
  enum SeatStatus { AVAILABLE HELD SOLD }
  type Query {
    currency: String!
    concerts(first: Int! = 20, after: String): ConcertConnection!
    seats(scheduleId: ID!, status: SeatStatus, section: String, first: Int, afterNumber: Int): [Seat!]!
    me: User!
  }
  type ConcertConnection { nodes: [Concert!]! pageInfo: PageInfo! }
  type PageInfo { hasNextPage: Boolean! endCursor: String }
  type Concert { id: ID! title: String! artist: String! saleOpensAt: DateTime! saleClosesAt: DateTime soldOut: Boolean! venue: Venue! schedules: [Schedule!]! }
  type Venue { id: ID! name: String! timeZone: String! }
  type Schedule { id: ID! startsAt: DateTime! totalSeats: Int! availableSeats: Int! }
  type Seat { id: ID! number: Int! section: String! row: String! grade: String! price: Money! status: SeatStatus! }
  type User { id: ID! email: String! name: String! balance: Money! }
`;

export interface Data {
  concerts: { nodes: { saleOpensAt: string; saleClosesAt: string | null; schedules: { startsAt: string }[] }[] };
  seats: Record<string, object[]>;
}

export interface Viewer {
  userId: string;
}

const data = JSON.parse(readFileSync(process.env['DATA']!, 'utf8')) as Data;
const concerts = {
  ...data.concerts,
  nodes: data.concerts.nodes.map((concert) => ({
    ...concert,
    saleOpensAt: new Date(concert.saleOpensAt),
    saleClosesAt: concert.saleClosesAt && new Date(concert.saleClosesAt),
    schedules: concert.schedules.map((schedule) => ({ ...schedule, startsAt: new Date(schedule.startsAt) })),
  })),
};
const pool = createPool({ uri: process.env['DATABASE_URL']!, connectionLimit: 10 });

export const resolvers = {
  DateTime,
  Money,
  Query: {
    currency: () => 'KRW',
    concerts: () => concerts,
    seats: (_: unknown, { scheduleId }: { scheduleId: string }) => data.seats[scheduleId]!,
    me: async (_: unknown, __: unknown, { userId }: Viewer) => {
      const [rows] = await pool.execute<RowDataPacket[]>('select u.id, u.email, u.name, w.balance from user u join wallet w on w.user_id = u.id where u.id = ?', [userId]);
      return rows[0];
    },
  },
};

const key = new TextEncoder().encode(process.env['AUTH_SECRET']!);

/** As the documentation of jose says. Nothing else of what Frontrow guards is guarded here: no sign-out, no rate limit, no pass. */
export async function viewerOf({ headers: { authorization } }: Pick<IncomingMessage, 'headers'>): Promise<Viewer> {
  const { payload } = await jwtVerify(authorization?.slice('Bearer '.length) ?? '', key, { algorithms: ['HS256'], audience: 'frontrow:access' });
  return { userId: payload.sub! };
}
