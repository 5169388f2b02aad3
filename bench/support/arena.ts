import type { MikroORM } from '@mikro-orm/mysql';
import { v7 as uuid } from 'uuid';
import { migrate } from '../../src/database/migrate.js';
import { connectDatabase } from '../../src/database/orm.config.js';
import { keys } from '../../src/redis/keys.js';
import type { BenchWorld } from './world.js';

/**
 * Users, dates and seats by the ten thousand, made by the database out of numbers, so that the program that measures need not send them. Each side that writes
 * has a database of its own with the same tables.
 */

/** Signed in. */
export interface Person {
  id: string;
  sessionId: string;
  accessToken: string;
}

export type AdmittedPerson = Person & { queueToken: string };

export interface Show {
  concertId: string;
  scheduleIds: string[];
  seatsPerDate: number;
}

const PRICE = 10_000;
const REDIS_BATCH = 5000;
/** Far from the places that joining gives. */
const FIRST_PLACE = 600_000_000_000;
/** The first figure of an id tells what it is of. */
const KIND = { user: 1, session: 2, charge: 3, schedule: 4, seat: 5 } as const;
type Kind = keyof typeof KIND;

const prefixOf = (kind: Kind): string => `0000000${KIND[kind]}-0000-7000-8000-`;
const idOf = (kind: Kind, number: number): string => `${prefixOf(kind)}${number.toString(16).padStart(12, '0')}`;
const sqlId = (kind: Kind, number = 'seq'): string => `concat('${prefixOf(kind)}', lpad(lower(hex(${number})), 12, '0'))`;

export class Arena {
  #people = 0;
  #schedules = 0;
  #seats = 0;
  #places = 0;
  /** Concerts whose people were let in by `admit`. */
  readonly #entered = new Set<string>();

  private constructor(
    private readonly world: BenchWorld,
    readonly orm: MikroORM,
  ) {}

  /** That of Frontrow. */
  static ofFrontrow(world: BenchWorld): Arena {
    return new Arena(world, world.app.orm);
  }

  /** That of a side, in a database of its own in the same server. */
  static async named(world: BenchWorld, name: string): Promise<Arena> {
    const orm = await connectDatabase({ socketPath: world.database.socket, name }, { poolMax: 2 });
    await migrate(orm);
    return new Arena(world, orm);
  }

  async execute<Row>(sql: string, params: unknown[] = []): Promise<Row[]> {
    return this.orm.em.getConnection().execute<Row[]>(sql, params);
  }

  async people(count: number, balance = 0): Promise<Person[]> {
    const [from, to] = [this.#people + 1, this.#people + count];
    this.#people = to;
    const rows = `from seq_${from}_to_${to}`;
    await this.execute(`insert into user (id, email, name, password_hash, role, created_at) select ${sqlId('user')}, concat(seq, '@example.com'), concat('Buyer ', seq), 'none', 'USER', utc_timestamp(3) ${rows}`);
    await this.execute(`insert into wallet (user_id, balance, version) select ${sqlId('user')}, ${balance}, 1 ${rows}`);
    await this.execute(
      `insert into session (id, user_id, generation, rotated_at, expires_at, created_at) select ${sqlId('session')}, ${sqlId('user')}, 1, utc_timestamp(3), utc_timestamp(3) + interval 7 day, utc_timestamp(3) ${rows}`,
    );
    if (balance > 0) await this.#noteBalance(rows, balance);
    const now = new Date();
    return Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const [id, sessionId] = [idOf('user', from + index), idOf('session', from + index)];
        return { id, sessionId, accessToken: (await this.world.app.tokens.signAccess({ id, role: 'USER' }, sessionId, now)).token };
      }),
    );
  }

  /** All dates of one concert, alike. */
  async show(dates: number, seatsPerDate: number): Promise<Show> {
    const [venueId, concertId] = [uuid(), uuid()];
    await this.execute("insert into venue (id, name, time_zone, sections, created_at) values (?, 'Bench Hall', 'Asia/Seoul', '[]', utc_timestamp(3))", [venueId]);
    await this.execute(
      "insert into concert (id, venue_id, title, artist, sale_opens_at, next_queue_epoch, created_at) values (?, ?, 'A Night to Measure', 'The Benches', utc_timestamp(3) - interval 1 hour, 0, utc_timestamp(3))",
      [concertId, venueId],
    );
    await this.execute("insert into concert_price (concert_id, grade, amount) values (?, 'R', ?)", [concertId, PRICE]);
    const [first, last] = [this.#schedules + 1, this.#schedules + dates];
    this.#schedules = last;
    await this.execute(
      `insert into schedule (id, concert_id, starts_at, total_seats, created_at) select ${sqlId('schedule')}, ?, utc_timestamp(3) + interval 30 day + interval seq minute, ?, utc_timestamp(3) from seq_${first}_to_${last}`,
      [concertId, seatsPerDate],
    );
    const seat = `${this.#seats} + (d.seq - ${first}) * ${seatsPerDate} + s.seq`;
    this.#seats += dates * seatsPerDate;
    await this.execute(
      `insert into seat (schedule_id, number, id, section, row_name, grade, price, status)
       select ${sqlId('schedule', 'd.seq')}, s.seq, ${sqlId('seat', seat)}, 'Floor', cast((s.seq - 1) div 10 + 1 as char), 'R', ${PRICE}, 'AVAILABLE'
       from seq_${first}_to_${last} d join seq_1_to_${seatsPerDate} s order by d.seq, s.seq`,
    );
    return { concertId, seatsPerDate, scheduleIds: Array.from({ length: dates }, (_, index) => idOf('schedule', first + index)) };
  }

  /** As an admission would leave them, without the waiting; only in the database that Frontrow uses. */
  async admit({ concertId }: Show, people: readonly Person[]): Promise<AdmittedPerson[]> {
    const { app } = this.world;
    const passTtlMs = app.config.queue.passTtlMs;
    // Whoever asks first makes the queue usable in this Redis: what is written before that is not believed.
    await app.services.queue.position({ userId: uuid(), role: 'USER', sessionId: uuid(), tokenExpiresAt: new Date() }, concertId);
    const placed = people.map((person) => ({ person, place: FIRST_PLACE + (this.#places += 1) }));
    const expiresAt = Date.now() + passTtlMs;
    for (let from = 0; from < placed.length; from += REDIS_BATCH) {
      const batch = placed.slice(from, from + REDIS_BATCH);
      await app.redis.zadd(keys.queueActive(concertId), ...batch.flatMap(({ person }) => [expiresAt, person.id]));
      await app.redis.hset(keys.queuePlaces(concertId), ...batch.flatMap(({ person, place }) => [person.id, place]));
      await this.execute(
        `insert into queue_pass (concert_id, user_id, place, admitted_at, expires_at) values ${batch.map(() => '(?, ?, ?, utc_timestamp(3), utc_timestamp(3) + interval ? second)').join(', ')}`,
        batch.flatMap(({ person, place }) => [concertId, person.id, place, passTtlMs / 1000]),
      );
    }
    await app.redis.sadd(keys.queues(), concertId);
    this.#entered.add(concertId);
    const now = new Date();
    return Promise.all(placed.map(async ({ person, place }) => ({ ...person, queueToken: await app.tokens.signQueue({ concertId, userId: person.id, place }, now) })));
  }

  /** Whoever still has a pass has left: hundreds of queues would be looked after for those who were let in by `admit` and did nothing. */
  async empty(): Promise<void> {
    await this.execute("update queue_pass set ended_at = utc_timestamp(3), ended_by = 'LEFT' where ended_at is null");
    for (const concertId of this.#entered) await this.world.app.redis.del(keys.queueActive(concertId), keys.queuePlaces(concertId));
    this.#entered.clear();
  }

  /** What must be true of money and seats whoever sold them: answers what is not. */
  async wrongs(): Promise<string[]> {
    const wrong: string[] = [];
    for (const [what, sql] of Object.entries(WRONGS)) {
      const [row] = await this.execute<{ count: number }>(`select count(*) as count from (${sql}) wrong`);
      if (Number(row!.count) > 0) wrong.push(`${what}: ${row!.count}`);
    }
    return wrong;
  }

  async close(): Promise<void> {
    if (this.orm !== this.world.app.orm) await this.orm.close(true);
  }

  /** Money comes from somewhere: what the invariants of the database ask for. */
  async #noteBalance(rows: string, balance: number): Promise<void> {
    await this.execute(`insert into charge (id, user_id, idempotency_key, amount, balance, charged_at) select ${sqlId('charge')}, ${sqlId('user')}, 'built.', ${balance}, ${balance}, utc_timestamp(3) ${rows}`);
    await this.execute(
      `insert into ledger_entry (user_id, kind, amount, balance_after, source_id, created_at) select ${sqlId('user')}, 'CHARGE', ${balance}, ${balance}, ${sqlId('charge')}, utc_timestamp(3) ${rows}`,
    );
  }
}

const WRONGS = {
  'a seat that is sold twice': 'select live_seat_id from reservation_seat where live_seat_id is not null group by live_seat_id having count(*) > 1',
  'a sold seat without a payment': "select s.id from seat s left join payment p on p.reservation_id = s.reservation_id and p.status = 'PAID' where s.status = 'SOLD' and p.id is null",
  'a payment without its seats': "select p.id from payment p left join reservation_seat rs on rs.reservation_id = p.reservation_id left join seat s on s.id = rs.seat_id and s.reservation_id = p.reservation_id and s.status = 'SOLD' where p.status = 'PAID' and s.id is null",
  'a payment of a reservation that is not confirmed': "select p.id from payment p join reservation r on r.id = p.reservation_id where p.status = 'PAID' and r.status <> 'CONFIRMED'",
  'a balance that is not the sum of its ledger':
    'select w.user_id from wallet w left join (select user_id, sum(amount) as total from ledger_entry group by user_id) l on l.user_id = w.user_id where w.balance <> coalesce(l.total, 0)',
};
