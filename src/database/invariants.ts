import { PLACES_PER_EPOCH } from '../domain/queue.js';

/** What is true of a database in use at every commit, each as the query that finds what breaks it: no row is how it should be. */
export interface Invariant {
  says: string;
  /** Pure SQL; `:now` is the database's clock, `:seatsPerUserMax` and `:holdTtlMs` are settings. */
  violations: string;
}

/** From when to when each reservation was live: over by its time whoever wrote that down and when; null while it still is. */
const LIVES = `select id, user_id, concert_id, seat_count, created_at,
  case status when 'CONFIRMED' then null when 'CANCELLED' then updated_at when 'REFUNDED' then updated_at else expires_at end as ended_at from reservation`;

const SEATS = {
  'seat-sold-once': {
    says: 'no seat has two live reservations',
    violations: `select rs.seat_id, count(*) as reservations, min(r.id) as one, max(r.id) as other
      from reservation_seat rs join reservation r on r.id = rs.reservation_id
      where r.status in ('HELD', 'CONFIRMED') or rs.live_seat_id is not null group by rs.seat_id having count(*) > 1`,
  },
  'live-while-reserved': {
    says: 'a captured seat is live exactly while its reservation is HELD or CONFIRMED',
    violations: `select rs.reservation_id, rs.number, rs.live_seat_id, r.status
      from reservation_seat rs left join reservation r on r.id = rs.reservation_id
      where coalesce(r.status in ('HELD', 'CONFIRMED'), false) <> (rs.live_seat_id is not null)`,
  },
  'live-seat-is-own': {
    says: 'a live seat is the seat that was captured',
    violations: 'select reservation_id, number, seat_id, live_seat_id from reservation_seat where live_seat_id <> seat_id',
  },
  'sold-is-confirmed': {
    says: 'a SOLD seat is captured by its reservation, which is CONFIRMED',
    violations: `select s.schedule_id, s.number, s.reservation_id, r.status
      from seat s left join reservation r on r.id = s.reservation_id and r.schedule_id = s.schedule_id
      left join reservation_seat rs on rs.reservation_id = r.id and rs.number = s.number and rs.seat_id = s.id
      where s.status = 'SOLD' and (rs.reservation_id is null or r.status <> 'CONFIRMED')`,
  },
  'confirmed-is-sold': {
    says: 'each seat of a CONFIRMED reservation is SOLD to it',
    violations: `select r.id as reservation_id, rs.number, s.status, s.reservation_id as seat_of
      from reservation r join reservation_seat rs on rs.reservation_id = r.id
      left join seat s on s.schedule_id = r.schedule_id and s.number = rs.number and s.id = rs.seat_id
      where r.status = 'CONFIRMED' and not (s.status <=> 'SOLD' and s.reservation_id <=> r.id)`,
  },
  'held-is-reserved': {
    says: 'a HELD seat is captured by its reservation, which is HELD',
    violations: `select s.schedule_id, s.number, s.reservation_id, r.status
      from seat s left join reservation r on r.id = s.reservation_id and r.schedule_id = s.schedule_id
      left join reservation_seat rs on rs.reservation_id = r.id and rs.number = s.number and rs.seat_id = s.id
      where s.status = 'HELD' and (rs.reservation_id is null or r.status <> 'HELD')`,
  },
  // An admin may delete a seat whose hold has run out before anybody has written that down.
  'reserved-is-held': {
    says: 'each seat of a HELD reservation is HELD by it',
    violations: `select r.id as reservation_id, rs.number, s.status, s.reservation_id as seat_of
      from reservation r join reservation_seat rs on rs.reservation_id = r.id
      left join seat s on s.schedule_id = r.schedule_id and s.number = rs.number and s.id = rs.seat_id
      where r.status = 'HELD' and not (s.status <=> 'HELD' and s.reservation_id <=> r.id) and not (s.id is null and r.expires_at <= :now)`,
  },
  'available-is-free': {
    says: 'an AVAILABLE seat has no reservation and no end of a hold',
    violations: `select schedule_id, number, reservation_id, held_until from seat
      where status = 'AVAILABLE' and (reservation_id is not null or held_until is not null)`,
  },
  'held-until-expiry': {
    says: 'a HELD seat is held until its reservation expires; a SOLD one has no end',
    violations: `select s.schedule_id, s.number, s.status, s.held_until, r.expires_at from seat s join reservation r on r.id = s.reservation_id
      where s.status <> 'AVAILABLE' and not (s.held_until <=> if(s.status = 'HELD', r.expires_at, null))`,
  },
  'seats-of-date': {
    says: 'a date has as many seats as it says, and a deleted one none',
    violations: `select d.id as schedule_id, d.total_seats, coalesce(s.seats, 0) as seats, d.deleted_at
      from schedule d left join (select schedule_id, count(*) as seats from seat group by schedule_id) s on s.schedule_id = d.id
      where d.total_seats <> if(d.deleted_at is null, coalesce(s.seats, 0), 0) or (d.deleted_at is not null and s.seats > 0)`,
  },
  'seat-limit': {
    says: 'nobody ever held and owned more seats of a concert at once than SEATS_PER_USER_MAX',
    violations: `select user_id, concert_id, at, reservation_id, seats from (
        select user_id, concert_id, at, reservation_id, sum(more) over (partition by user_id, concert_id order by at, more, reservation_id) as seats from (
          select l.user_id, l.concert_id, l.created_at as at, l.id as reservation_id, l.seat_count as more from (${LIVES}) l
          union all select l.user_id, l.concert_id, l.ended_at, l.id, -l.seat_count from (${LIVES}) l where l.ended_at is not null) changes
        where (user_id, concert_id) in (select user_id, concert_id from reservation group by user_id, concert_id having sum(seat_count) > :seatsPerUserMax)) counted
      where seats > :seatsPerUserMax`,
  },
  'seat-one-at-a-time': {
    says: 'no seat was ever in two live reservations at once: each began when those before it were over',
    violations: `select seat_id, reservation_id, created_at, taken_until from (
        select rs.seat_id, l.id as reservation_id, l.created_at, max(coalesce(l.ended_at, '9999-12-31')) over (
          partition by rs.seat_id order by l.created_at, l.id rows between unbounded preceding and 1 preceding) as taken_until
        from reservation_seat rs join (${LIVES}) l on l.id = rs.reservation_id) one_after_the_other
      where taken_until > created_at`,
  },
  'hold-within-ttl': {
    says: 'no hold lasts longer than HOLD_TTL_MS',
    violations: "select id as reservation_id, created_at, expires_at from reservation where status = 'HELD' and expires_at > created_at + interval :holdTtlMs * 1000 microsecond",
  },
  'expired-in-time': {
    says: 'no hold was ended as EXPIRED before its end, and none given back after it',
    violations: `select id as reservation_id, status, expires_at, updated_at from reservation
      where (status = 'EXPIRED' and updated_at < expires_at) or (status = 'CANCELLED' and updated_at >= expires_at)`,
  },
  'cancelled-date-is-closed': {
    says: 'nothing of a date was reserved or paid after it was cancelled, and a deleted one has nobody',
    violations: `select r.schedule_id, r.id as reservation_id, r.status, r.created_at, p.paid_at, d.cancelled_at, d.deleted_at
      from schedule d join reservation r on r.schedule_id = d.id left join payment p on p.reservation_id = r.id
      where r.created_at > d.cancelled_at or p.paid_at > d.cancelled_at
        or (d.deleted_at is not null and (r.status = 'CONFIRMED' or (r.status = 'HELD' and r.expires_at > :now)))`,
  },
  'reservation-seat-count': {
    says: 'a reservation has as many seats as it says',
    violations: `select r.id as reservation_id, r.seat_count, count(rs.number) as seats
      from reservation r left join reservation_seat rs on rs.reservation_id = r.id group by r.id, r.seat_count having r.seat_count <> count(rs.number)`,
  },
  'reservation-total': {
    says: 'a reservation costs the sum of the prices at which its seats were captured',
    violations: `select r.id as reservation_id, r.total_price, coalesce(sum(rs.price), 0) as prices
      from reservation r left join reservation_seat rs on rs.reservation_id = r.id group by r.id, r.total_price having r.total_price <> coalesce(sum(rs.price), 0)`,
  },
} as const satisfies Record<string, Invariant>;

const MONEY = {
  'balance-is-ledger': {
    says: 'a balance is the sum of its ledger',
    violations: `select w.user_id, w.balance, coalesce(l.total, 0) as ledger
      from wallet w left join (select user_id, sum(amount) as total from ledger_entry group by user_id) l on l.user_id = w.user_id
      where w.balance <> coalesce(l.total, 0)
      union all select l.user_id, null, sum(l.amount) from ledger_entry l left join wallet w on w.user_id = l.user_id where w.user_id is null group by l.user_id`,
  },
  'ledger-adds-up': {
    says: 'each ledger row tells the sum up to it',
    violations: `select id, user_id, kind, amount, balance_after, running
      from (select id, user_id, kind, amount, balance_after, sum(amount) over (partition by user_id order by id) as running from ledger_entry) l
      where balance_after <> running`,
  },
  'never-negative': {
    says: 'no balance was ever negative',
    violations: `select user_id, id as ledger_entry, balance_after as balance from ledger_entry where balance_after < 0
      union all select user_id, null, balance from wallet where balance < 0`,
  },
  'ledger-has-source': {
    says: 'each ledger row belongs to a charge, payment or refund of that user, amount and balance',
    violations: `select l.id, l.user_id, l.kind, l.source_id, l.amount, l.balance_after
      from ledger_entry l left join charge c on l.kind = 'CHARGE' and c.id = l.source_id left join payment p on l.kind <> 'CHARGE' and p.id = l.source_id
      where not coalesce(case l.kind
        when 'CHARGE' then c.user_id = l.user_id and c.amount = l.amount and c.balance = l.balance_after
        when 'PAYMENT' then p.user_id = l.user_id and -p.amount = l.amount and p.balance = l.balance_after
        when 'REFUND' then p.user_id = l.user_id and p.amount = l.amount and p.status = 'REFUNDED' end, false)`,
  },
  'charge-in-ledger': {
    says: 'each charge has its ledger row',
    violations: `select c.id as charge_id, c.user_id, c.amount from charge c left join ledger_entry l on l.source_id = c.id and l.kind = 'CHARGE' where l.id is null`,
  },
  'payment-in-ledger': {
    says: 'each payment has its ledger row, and a second one once it is refunded',
    violations: `select p.id as payment_id, p.user_id, p.amount, p.status, paid.id as paid_entry, refunded.id as refunded_entry
      from payment p left join ledger_entry paid on paid.source_id = p.id and paid.kind = 'PAYMENT'
      left join ledger_entry refunded on refunded.source_id = p.id and refunded.kind = 'REFUND'
      where paid.id is null or (p.status = 'REFUNDED') <> (refunded.id is not null)`,
  },
  'payment-of-reservation': {
    says: 'a payment is of its reservation: by the same user, for the same amount',
    violations: `select p.id as payment_id, p.user_id, p.amount, r.user_id as reserved_by, r.total_price
      from payment p left join reservation r on r.id = p.reservation_id where r.id is null or p.user_id <> r.user_id or p.amount <> r.total_price`,
  },
  'paid-in-time': {
    says: 'each payment was made while its hold lasted, and refunded no earlier than it was made',
    violations: `select p.id as payment_id, p.reservation_id, r.created_at, p.paid_at, r.expires_at, p.refunded_at
      from payment p join reservation r on r.id = p.reservation_id where p.paid_at < r.created_at or p.paid_at >= r.expires_at or p.refunded_at < p.paid_at`,
  },
  'confirmed-is-paid': {
    says: 'a CONFIRMED reservation has a payment that is PAID',
    violations: `select r.id as reservation_id, p.id as payment_id, p.status
      from reservation r left join payment p on p.reservation_id = r.id where r.status = 'CONFIRMED' and not (p.status <=> 'PAID')`,
  },
  'paid-is-confirmed': {
    says: 'a payment that is PAID is of a CONFIRMED reservation',
    violations: `select p.id as payment_id, p.reservation_id, r.status
      from payment p left join reservation r on r.id = p.reservation_id where p.status = 'PAID' and not (r.status <=> 'CONFIRMED')`,
  },
  'refunded-both': {
    says: 'a payment is REFUNDED, with the time of it, exactly where its reservation is',
    violations: `select r.id as reservation_id, p.id as payment_id, p.status, p.refunded_at
      from reservation r left join payment p on p.reservation_id = r.id
      where r.status = 'REFUNDED' and not (p.status <=> 'REFUNDED' and p.refunded_at is not null)
      union all select p.reservation_id, p.id, p.status, p.refunded_at from payment p left join reservation r on r.id = p.reservation_id
      where (p.status = 'REFUNDED' and not (r.status <=> 'REFUNDED')) or (p.status <> 'REFUNDED' and p.refunded_at is not null)`,
  },
} as const satisfies Record<string, Invariant>;

const QUEUE = {
  'pass-ending': {
    says: 'a pass has ended exactly when it says why',
    violations: 'select concert_id, user_id, place, ended_at, ended_by from queue_pass where (ended_at is null) <> (ended_by is null)',
  },
  'active-max': {
    says: 'no pass was handed over beyond the most that might be active at that moment',
    violations: 'select concert_id, user_id, place, admitted_at, active_count, active_max from queue_pass where active_count > active_max or (active_count is null) <> (active_max is null)',
  },
  // Before a queue has an epoch its places are those that were written by hand.
  'place-of-epoch': {
    says: 'each pass is of a place in an epoch that the database gave, and nobody else has that place',
    violations: `select q.concert_id, min(q.user_id) as one, max(q.user_id) as other, q.place, c.next_queue_epoch
      from queue_pass q left join concert c on c.id = q.concert_id group by q.concert_id, q.place, c.next_queue_epoch
      having count(*) > 1 or not coalesce(q.place div ${PLACES_PER_EPOCH} < greatest(c.next_queue_epoch, 1), false)`,
  },
} as const satisfies Record<string, Invariant>;

/** Events are kept for a day: what is younger than this must have its own. */
const TOLD_WITHIN = ':now - interval 12 hour';
/** What should have been told, from the rows themselves. */
const HAPPENED = `select id as reservation_id, 'RESERVATION_HELD' as type from reservation where created_at > ${TOLD_WITHIN}
  union all select id, if(status = 'REFUNDED', 'PAYMENT_REFUNDED', concat('RESERVATION_', status)) from reservation
    where status in ('EXPIRED', 'CANCELLED', 'REFUNDED') and updated_at > ${TOLD_WITHIN}
  union all select reservation_id, 'PAYMENT_MADE' from payment where paid_at > ${TOLD_WITHIN}`;

const EVENTS = {
  'change-is-told': {
    says: 'each change of a reservation of the last 12 hours has its event',
    violations: `select h.reservation_id, h.type from (${HAPPENED}) h
      left join (select distinct reservation_id, type from outbox_event where reservation_id is not null) e on e.reservation_id = h.reservation_id and e.type = h.type
      where e.reservation_id is null`,
  },
  'told-is-true': {
    says: 'what an event tells of a reservation, payment or charge has happened',
    violations: `select o.id, o.event_id, o.type, o.reservation_id from outbox_event o
      left join reservation r on r.id = o.reservation_id left join payment p on p.reservation_id = o.reservation_id
      left join charge c on o.type = 'CHARGE_MADE' and c.id = json_unquote(json_extract(o.payload, '$.chargeId'))
      where not coalesce(case o.type
        when 'RESERVATION_HELD' then r.id is not null
        when 'RESERVATION_EXPIRED' then r.status = 'EXPIRED'
        when 'RESERVATION_CANCELLED' then r.status = 'CANCELLED'
        when 'PAYMENT_MADE' then p.id is not null
        when 'PAYMENT_REFUNDED' then p.status = 'REFUNDED'
        when 'CHARGE_MADE' then c.user_id = o.user_id
        else true end, false)`,
  },
  'told-once': {
    says: 'nothing of a reservation is told twice',
    violations: 'select reservation_id, type, count(*) as events from outbox_event where reservation_id is not null group by reservation_id, type having count(*) > 1',
  },
  'delivery-state': {
    says: 'a delivery is DELIVERED by an answer of 200 to 299, DEAD after its last attempt, and tried as soon as it is either',
    violations: `select id as delivery_id, webhook_id, state, attempts, last_status from webhook_delivery
      where (state = 'DELIVERED' and not coalesce(last_status between 200 and 299, false)) or (state = 'DEAD' and last_status between 200 and 299)
        or (state <> 'PENDING' and attempts = 0) or state not in ('PENDING', 'DELIVERED', 'DEAD')`,
  },
} as const satisfies Record<string, Invariant>;

/** True at every commit. */
export const SAFETY = { ...SEATS, ...MONEY, ...QUEUE, ...EVENTS };

/** True where a worker runs and nothing has just failed: what is late, or was left half done by a process that died, is caught up with in time. */
export const SETTLED = {
  'holds-end': {
    says: 'no reservation is HELD 10 s past its end',
    violations: "select id as reservation_id, user_id, expires_at from reservation where status = 'HELD' and expires_at <= :now - interval 10 second",
  },
  'passes-end': {
    says: 'no pass is open 10 s past its end',
    violations: 'select concert_id, user_id, place, expires_at from queue_pass where ended_at is null and expires_at <= :now - interval 10 second',
  },
  'outbox-flows': {
    says: 'no event waits 10 s to be published',
    violations: 'select id, event_id, type, occurred_at from outbox_event where published_at is null and occurred_at <= :now - interval 10 second',
  },
  // Redis lets a user have one; its row follows, and may be the older when the user has left or Redis has lost the line.
  'one-open-pass': {
    says: 'nobody has two open passes of a concert',
    violations: `select concert_id, user_id, count(*) as passes, min(place) as one, max(place) as other from queue_pass
      where ended_at is null and admitted_at is not null and expires_at > :now group by concert_id, user_id having count(*) > 1`,
  },
} as const satisfies Record<string, Invariant>;

export type InvariantName = keyof typeof SAFETY | keyof typeof SETTLED;
