import type { Edit } from './replace.ts';

/** What must turn red when a mutant is planted: a test file, `only` the tests of it whose names match; or `drill <name>`, at its small scale. */
export interface Catcher {
  by: string;
  only?: string;
}

/** A bug that somebody could really write, planted as the sources are loaded. Where a second guard would hide it, that guard is off as well. */
export interface Mutant {
  name: string;
  /** What is wrong, in a line. */
  bug: string;
  edits: readonly Edit[];
  catchers: readonly Catcher[];
}

/** The status of a seat keeps no second hold from it. */
const BLIND_HOLD: readonly Edit[] = [
  { file: 'services/hold.ts', find: 'const taken = seats.filter((seat) => isTaken(seat, now));\n    if (taken.length > 0) throw new SeatsFoundTaken', replace: 'const taken: TakenSeat[] = [];\n    if (taken.length > 0) throw new SeatsFoundTaken' },
  { file: 'database/repositories/sale-writes.repository.ts', find: "where (${wanted.sql}) and s.status = 'AVAILABLE'`", replace: 'where (${wanted.sql})`' },
];

const SEATS: Mutant[] = [
  {
    name: 'status-guard-off',
    bug: 'a hold does not look whether its seats are free, and the unique key of live seats is an ordinary index',
    edits: [
      ...BLIND_HOLD,
      { file: 'database/migrations/001-initial.ts', find: 'add unique reservation_seat_live_unique (live_seat_id)', replace: 'add index reservation_seat_live_unique (live_seat_id)' },
    ],
    catchers: [{ by: 'test/concurrency/reserve.test.ts', only: 'with a gate that lets everyone pass the database alone' }],
  },
  {
    name: 'seats-unguarded',
    bug: 'a hold neither looks whether its seats are free nor keeps them for the unique key, and the gate in Redis lets everybody pass',
    edits: [
      ...BLIND_HOLD,
      { file: 'database/repositories/sale-writes.repository.ts', find: 'seat.seatId, seat.seatId, seat.grade', replace: 'seat.seatId, null, seat.grade' },
      { file: 'redis/scripts/seat-take.lua', find: 'taken[#taken + 1] = tonumber(number)', replace: '' },
    ],
    catchers: [{ by: 'drill oversell' }],
  },
  {
    name: 'status-only',
    bug: 'a seat counts as held until somebody has written down that its hold is over, and nobody but the job does',
    edits: [{ file: 'domain/hold.ts', find: "(status === 'HELD' && heldUntil! > now)", replace: "status === 'HELD'" }],
    catchers: [
      { by: 'test/unit/hold.test.ts', only: 'a seat is taken while' },
      { by: 'test/integration/hold.test.ts', only: 'another buyer gets the seats right after expiresAt' },
    ],
  },
  {
    name: 'application-clock',
    bug: 'whether a hold is over is judged by the clock of the process instead of that of the database',
    edits: [
      { file: 'database/clock.ts', find: 'return instantOf(row!.now);', replace: 'void row;\n  return new Date();' },
      { file: 'database/repositories/sale.repository.ts', find: 'return last ? instantOf(last.now) : null;', replace: 'return last ? new Date() : null;' },
    ],
    catchers: [{ by: 'test/integration/skewed-clock.test.ts' }],
  },
  {
    name: 'job-without-identity',
    bug: 'a late job frees the seats of its hold without looking whether they are still of that hold',
    edits: [
      { file: 'services/reservation.service.ts', find: ".filter(({ status }) => status === 'HELD');", replace: '.filter(({ status }) => status);' },
      { file: 'services/reservation.service.ts', find: 'const over = held.filter((reservation) => isOver(reservation, now));', replace: 'const over = held.filter(({ expiresAt }) => expiresAt <= now);' },
      { file: 'database/repositories/reservation.repository.ts', find: '(schedule_id = ? and number in (?) and reservation_id = ?)', replace: '(schedule_id = ? and number in (?) and ? is not null)' },
    ],
    catchers: [{ by: 'test/integration/hold.test.ts', only: 'a job that comes early, late or for what is no longer a hold' }],
  },
  {
    name: 'job-trusts-its-time',
    bug: 'the job that ends a hold believes that it comes at the right time',
    edits: [
      { file: 'services/reservation.service.ts', find: 'const over = held.filter((reservation) => isOver(reservation, now));', replace: 'const over = [...held];' },
    ],
    catchers: [{ by: 'test/integration/hold.test.ts', only: 'a job that comes early, late or for what is no longer a hold' }],
  },
  {
    name: 'sweeper-off',
    bug: 'the sweeper does not look for holds whose job was lost',
    edits: [{ file: 'workers/sweep.worker.ts', find: '() => reservations.sweep(), ', replace: '' }],
    catchers: [{ by: 'test/integration/hold.test.ts', only: 'with its job lost, the sweeper alone announces the end' }],
  },
  {
    name: 'gate-never-dies',
    bug: 'what an attempt has taken at the gate stays there when its process dies before the commit',
    edits: [{ file: 'redis/scripts/seat-take.lua', find: "string.format('%.0f', now + ARGV[1])", replace: "string.format('%.0f', now + ARGV[2])" }],
    catchers: [{ by: 'test/integration/seat-gate.test.ts', only: 'an attempt that nobody confirms' }],
  },
  {
    name: 'gate-part-by-part',
    bug: 'the gate takes the seats that are free although others of the attempt are not',
    edits: [{ file: 'redis/scripts/seat-take.lua', find: 'if #taken == 0 and #free > 0 then', replace: 'if #free > 0 then\n    taken = {}' }],
    catchers: [{ by: 'test/integration/seat-gate.test.ts', only: 'all seats or none' }],
  },
  {
    name: 'limit-without-lock',
    bug: 'the seats of a user are counted without locking the row of the quota first',
    edits: [
      { file: 'services/sale-transaction.ts', find: 'lockQuotas(holds.map(({ request }) => request), wait),', replace: 'lockQuotas([], wait),' },
    ],
    catchers: [{ by: 'test/concurrency/reserve.test.ts', only: '40 parallel reserves by one user' }],
  },
];

const MONEY: Mutant[] = [
  {
    name: 'no-idempotency-row',
    bug: 'a charge is written under a key of its own instead of that of the client, so that a repeated one is not known again',
    edits: [{ file: 'database/repositories/sale-writes.repository.ts', find: '[id, userId, idempotencyKey, amount, balance, chargedAt]', replace: '[id, userId, idempotencyKey && id, amount, balance, chargedAt]' }],
    catchers: [
      { by: 'test/concurrency/wallet.test.ts', only: 'the same idempotency key 50 times' },
      { by: 'test/integration/wallet.test.ts', only: 'the same key and amount give the same answer' },
    ],
  },
  {
    name: 'wallet-without-version',
    bug: 'the version of a wallet is not compared when its balance is written',
    edits: [{ file: 'database/repositories/sale-writes.repository.ts', find: '(user_id = ? and version = ?)', replace: '(user_id = ? and ? is not null)' }],
    catchers: [{ by: 'test/concurrency/wallet.test.ts', only: 'the version alone loses no charge' }],
  },
  {
    name: 'float-money',
    bug: 'a balance is kept as a floating-point number',
    edits: [{ file: 'database/migrations/001-initial.ts', find: 'balance bigint not null,\n      version int', replace: 'balance float not null,\n      version int' }],
    catchers: [{ by: 'test/integration/wallet.test.ts', only: 'a balance is exact to the last unit' }],
  },
  {
    name: 'read-then-write',
    bug: 'a payment and the end of a hold read the reservation without locking it, and write what they decided',
    edits: [
      { file: 'database/repositories/reservation.repository.ts', find: 'em.find(Reservation, { id: { $in: [...ids] } }, { lockMode, orderBy', replace: 'em.find(Reservation, { id: { $in: [...ids] } }, { ...(lockMode && {}), orderBy' },
      { file: 'database/repositories/sale.repository.ts', find: 'where id in (?) order by id ${FOR_UPDATE(wait)}`', replace: 'where id in (?) order by id ${wait && ""}`' },
    ],
    catchers: [{ by: 'test/concurrency/pay-expiry.test.ts', only: '1,000 races' }],
  },
  {
    name: 'pay-too-late',
    bug: 'a payment does not look whether the hold is over',
    edits: [{ file: 'domain/payment.ts', find: "if (isOver(hold, now)) throw new ReservationNotPayable('EXPIRED');", replace: '' }],
    catchers: [{ by: 'test/integration/hold.test.ts', only: 'another hold is payable until its own end' }],
  },
  {
    name: 'pay-what-was-given-back',
    bug: 'a payment does not look at the state of the reservation, nor whether the seats are still held by it',
    edits: [
      { file: 'domain/payment.ts', find: "if (hold.status !== 'HELD') throw new ReservationNotPayable(hold.status);", replace: '' },
      { file: 'services/pay.ts', find: 'if (held.length !== seatCount) throw changed();', replace: 'if (held.length > seatCount) throw changed();' },
    ],
    catchers: [{ by: 'test/integration/payment.test.ts', only: 'a hold that was given back cannot be paid' }],
  },
  {
    name: 'refund-not-unique',
    bug: 'a refund does not look whether there was one, and the ledger takes two',
    edits: [
      { file: 'services/refund.ts', find: "if (payment.status === 'REFUNDED') return", replace: 'if (false as boolean) return' },
      { file: 'database/migrations/001-initial.ts', find: 'add unique ledger_entry_source_unique (source_id, kind)', replace: 'add index ledger_entry_source_unique (source_id, kind)' },
    ],
    catchers: [
      { by: 'test/concurrency/wallet.test.ts', only: 'a refund sent 20 times at once' },
      { by: 'test/integration/payment.test.ts', only: 'repeating it returns the same payment' },
    ],
  },
  {
    name: 'owner-check-off',
    bug: 'whoever knows the id of a hold can give it back',
    edits: [{ file: 'services/reservation.service.ts', find: 'if (locked?.userId !== viewer.userId)', replace: 'if (!locked)' }],
    catchers: [{ by: 'test/integration/ownership.test.ts', only: 'with the ids of another user' }],
  },
];

const TRANSACTIONS: Mutant[] = [
  {
    name: 'no-rollback-after-1205',
    bug: 'after a lock timeout the work is done again within the same transaction, with what it had already written',
    edits: [
      { file: 'database/transaction.ts', find: 'const done = await work(inner);', replace: 'const done = await work(inner).catch((error: unknown) => (errnoOf(error) === 1205 ? work(inner) : Promise.reject(error)));' },
    ],
    catchers: [{ by: 'test/integration/transactions.test.ts', only: 'a lock that is not to be had in time' }],
  },
  {
    name: 'retry-on-unknown',
    bug: 'a transaction whose connection dropped is run again, though it may have been committed',
    edits: [{ file: 'database/transaction.ts', find: 'if (!after.has(reason) ||', replace: "if (reason === '1062' ||" }],
    catchers: [{ by: 'test/integration/unknown-outcome.test.ts' }],
  },
  {
    name: 'lock-order-reversed',
    bug: 'a payment locks the reservation before the wallet, and everyone else the other way round',
    edits: [
      {
        file: 'services/sale-transaction.ts',
        find: 'const { holds, pays } = members;\n',
        replace: 'const { holds, pays } = members;\n  await transaction.together([lockReservationRows(paidIds(members), true)]);\n',
      },
    ],
    catchers: [{ by: 'test/concurrency/lock-order.test.ts' }],
  },
  {
    name: 'event-beside-the-transaction',
    bug: 'an event is written on a connection of its own, so it is told also when the change is rolled back',
    edits: [
      { file: 'database/repositories/outbox.repository.ts', find: "if (sql !== '') await em.execute(sql", replace: "if (sql !== '') await em.fork({ clear: true, freshEventManager: true }).execute(sql" },
    ],
    catchers: [{ by: 'test/integration/outbox.test.ts', only: 'what is rolled back is not told' }],
  },
  {
    name: 'marked-before-published',
    bug: 'the relay marks events as published before it publishes them, and does not look for what the stream lacks',
    edits: [
      { file: 'services/relay.service.ts', find: 'if (!(await this.#append(turn, events, textOfMark(reached)))) return 0;\n    turn.last', replace: 'turn.last' },
      {
        file: 'services/relay.service.ts',
        find: 'return this.#follow(events, (inner) => markPublished(inner, sequences, reached.publishedAt));',
        replace: 'const followed = await this.#follow(events, (inner) => markPublished(inner, sequences, reached.publishedAt));\n    return (await this.#append(turn, events, textOfMark(reached))) ? followed : 0;',
      },
      { file: 'services/relay.service.ts', find: 'published += await this.#publishAgain(turn);', replace: 'void this.#publishAgain;' },
    ],
    catchers: [{ by: 'test/integration/relay.test.ts', only: 'an event is marked only after it was published' }],
  },
  {
    name: 'follow-up-fails-the-payment',
    bug: 'what follows a commit fails the caller when Redis is away',
    edits: [{ file: 'services/after-commit.ts', find: 'counters.followUpFailed(name, error);', replace: 'counters.followUpFailed(name, error);\n        throw error;' }],
    catchers: [{ by: 'test/integration/reserve-redis-down.test.ts', only: 'with Redis down reserving answers' }],
  },
];

const QUEUE: Mutant[] = [
  {
    name: 'place-from-a-clock',
    bug: 'the order of the line is the time of joining instead of one counter',
    edits: [{ file: 'redis/scripts/queue-join.lua', find: "redis.call('HINCRBY', state, 'sequence', #newcomers)", replace: 'math.floor(now / 1000)' }],
    catchers: [{ by: 'test/concurrency/queue.test.ts', only: 'places are 1 to n' }],
  },
  {
    name: 'admission-not-atomic',
    bug: 'rate and maximum are judged when users are proposed, and not again when they are admitted',
    edits: [{ file: 'redis/scripts/queue-admit.lua', find: 'elseif #admitted >= free then', replace: 'elseif false then' }],
    catchers: [{ by: 'test/concurrency/queue.test.ts', only: 'rate and maximum are checked again' }],
  },
  {
    name: 'pass-told-before-written',
    bug: 'a pass is handed over first and written to the database afterwards',
    edits: [
      { file: 'services/queue-admission.ts', find: 'await this.transactions.runBriefly(({ em }) => givePasses(em, concertId, open, this.config.passTtlMs));\n', replace: '\n' },
      {
        file: 'services/queue-admission.ts',
        find: 'const of = (...wanted: AdmitOutcome[])',
        replace: 'await this.transactions.runBriefly(({ em }) => givePasses(em, concertId, open, this.config.passTtlMs));\n      const of = (...wanted: AdmitOutcome[])',
      },
    ],
    catchers: [{ by: 'test/concurrency/queue.test.ts', only: 'who leaves between the proposal and the admission' }],
  },
  {
    name: 'lost-message-unnoticed',
    bug: 'positions are worked out from the moves of a message though those of the message before were never heard',
    edits: [{ file: 'domain/queue-moves.ts', find: 'if (batch.from > reached || batch.concerns(place)) return null;', replace: 'if (batch.concerns(place)) return null;' }],
    catchers: [{ by: 'test/integration/queue-line.test.ts', only: 'a message that was lost is found missing' }],
  },
  {
    name: 'returned-place-moves-nobody',
    bug: 'a place that comes back into the line after a loss of Redis moves nobody who stands behind it',
    edits: [{ file: 'domain/queue-moves.ts', find: 'return countBelow(this.#back, place) - countBelow(this.#left, place);', replace: 'return -countBelow(this.#left, place);' }],
    catchers: [{ by: 'test/integration/queue-line.test.ts', only: 'places that come back after Redis was wiped' }],
  },
  {
    name: 'pass-of-any-place',
    bug: 'a queue token opens the date for any place its user has, also for one that ended and was joined anew',
    edits: [{ file: 'redis/scripts/queue-pass.lua', find: 'if passEnd > now and tonumber(activePlaces[index] or -1) == place then', replace: 'if passEnd > now then' }],
    catchers: [{ by: 'test/integration/queue-pass.test.ts', only: 'the token of a place that was given up opens nothing' }],
  },
  {
    name: 'epoch-not-counted',
    bug: 'a queue that Redis has lost counts its places from the same number again',
    edits: [{ file: 'database/repositories/queue-line.repository.ts', find: 'set next_queue_epoch = next_queue_epoch + 1 where', replace: 'set next_queue_epoch = next_queue_epoch where' }],
    catchers: [{ by: 'test/integration/queue-loss.test.ts', only: 'newcomers after a loss stand behind' }],
  },
  {
    name: 'token-place-ignored',
    bug: 'the place in a queue token is not believed after Redis was lost: its owner stands at the end',
    edits: [{ file: 'services/queue-returns.ts', find: "typeof place === 'number' && !isLive(standing) &&", replace: "typeof place === 'number' && false && !isLive(standing) &&" }],
    catchers: [
      { by: 'test/integration/queue-rebuild.test.ts', only: 'bring places back in the old order, whoever comes first' },
      { by: 'drill redis' },
    ],
  },
  {
    name: 'ended-pass-comes-back',
    bug: 'after a loss of Redis a place comes back whatever its row says of it',
    edits: [{ file: 'domain/queue-recovery.ts', find: "const status = own ? rememberedAs(own) : 'WAITING';", replace: "const status: Remembered = 'WAITING';" }],
    catchers: [{ by: 'test/integration/queue-rebuild.test.ts', only: 'paid, left, absent and timed-out places are not' }],
  },
  {
    name: 'given-up-place-admitted',
    bug: 'an admission does not look whether a place that an old Redis has waiting was given up since',
    edits: [{ file: 'services/queue-admission.ts', find: 'places.filter((place) => isGivenUp(place, rowsOf.get(place.userId) ?? []))', replace: 'places.filter((place) => isGivenUp(place, []))' }],
    catchers: [{ by: 'test/integration/queue-rebuild.test.ts', only: 'though an old dump of Redis has it waiting' }],
  },
  {
    name: 'admission-without-its-epoch',
    bug: 'an admission in a later epoch does not end the places that were lost before it',
    edits: [{ file: 'domain/queue-recovery.ts', find: 'row.admittedEpoch > Math.floor(place / PLACES_PER_EPOCH)', replace: 'row.admittedEpoch > Math.floor(place * PLACES_PER_EPOCH)' }],
    catchers: [{ by: 'test/integration/queue-rebuild.test.ts', only: 'of two places that one user was given' }],
  },
];

const DOORS: Mutant[] = [
  {
    name: 'sign-out-in-redis-only',
    bug: 'signing out is told to Redis and not written to the session’s row',
    edits: [{ file: 'services/session.service.ts', find: 'await this.transactions.run((em) => revokeSession(em, sessionId));', replace: 'void revokeSession;' }],
    catchers: [{ by: 'test/integration/session.test.ts', only: 'stays dead when Redis forgets everything' }],
  },
  {
    name: 'sign-out-not-doubted',
    bug: 'Redis believes in a session until it is told of the sign-out, also when nobody lives to tell it',
    edits: [{ file: 'services/session.service.ts', find: 'await this.cache.doubt(sessionId);', replace: '' }],
    catchers: [{ by: 'test/integration/session.test.ts', only: 'a process that ends after the row' }],
  },
  {
    name: 'refresh-token-for-ever',
    bug: 'a refresh token that was used before is exchanged again instead of ending its family',
    edits: [{ file: 'domain/session.ts', find: "sinceRotationMs <= REFRESH_REPEAT_MS ? 'repeat' : 'reused'", replace: "sinceRotationMs >= 0 ? 'repeat' : 'reused'" }],
    catchers: [{ by: 'test/integration/session.test.ts', only: 'a token used again after 10 s' }],
  },
  {
    name: 'signature-without-time',
    bug: 'the signature of a webhook leaves out the time, so that what was sent once can be sent again by anybody for ever',
    edits: [{ file: 'services/webhook-sender.ts', find: '.update(`${timestamp}.${body}`)', replace: '.update(timestamp && body)' }],
    catchers: [
      { by: 'test/unit/event.test.ts', only: 'the signature is the one' },
      { by: 'test/integration/webhook.test.ts', only: 'signed over its time and body' },
    ],
  },
  {
    name: 'delivery-without-claim',
    bug: 'two jobs that come for one delivery both send it',
    edits: [{ file: 'database/repositories/webhook.repository.ts', find: 'delivery.nextAt = new Date(now.getTime() + claimMs);', replace: 'void claimMs;' }],
    catchers: [{ by: 'test/integration/webhook.test.ts', only: 'an attempt whose process died is made again once its claim is over' }],
  },
];

export const MUTANTS: readonly Mutant[] = [...SEATS, ...MONEY, ...TRANSACTIONS, ...QUEUE, ...DOORS];

export function mutantNamed(name: string): Mutant {
  const mutant = MUTANTS.find((one) => one.name === name);
  if (!mutant) throw new Error(`There is no mutant ${name}: ${MUTANTS.map((one) => one.name).join(', ')}.`);
  return mutant;
}
