import type { EntityManager } from '@mikro-orm/mysql';
import { progressOf, reservationsToEnd } from '../../src/database/repositories/cancellation.repository.js';
import { lastPublished, outboxBacklog, unpublishedEvents } from '../../src/database/repositories/outbox.repository.js';
import { openPasses, passesOfUsers } from '../../src/database/repositories/queue-line.repository.js';
import { overduePasses, queueFactsOf } from '../../src/database/repositories/queue.repository.js';
import { overdueHolds, reservationsOfUser } from '../../src/database/repositories/reservation.repository.js';
import { liveReservationsOf } from '../../src/database/repositories/sale.repository.js';
import { availableSeatsOf, nextEndsOf, storedSeats } from '../../src/database/repositories/seat.repository.js';
import { deleteOverSessions } from '../../src/database/repositories/session.repository.js';
import { together } from '../../src/database/together.js';
import { Payment } from '../../src/database/entities/payment.entity.js';
import { idOf } from '../support/ids.js';

/** What a busy night asks of many rows, in the product's own words, and which index is there for it. */

export interface HotQuery {
  name: string;
  table: string;
  index: string;
  /** A measurement elsewhere of the same kind of query, in ms without and with its index. */
  published?: [number, number];
  ask(em: EntityManager): Promise<unknown>;
}

const date = idOf('schedule', 2);
const concert = idOf('concert', 1);
const user = idOf('user', 7);
const PAGE = 21;
/** Held, not paid. */
const unpaid = idOf('reservation', 2400);

/** Of a date that is as large as a date may be, beside all the others. */
export const LARGE_DATE = 10_000;

export const HOT_QUERIES: HotQuery[] = [
  { name: 'seats of a date', table: 'seat', index: 'PRIMARY', published: [194.7, 40.2], ask: (em) => storedSeats(em, date) },
  { name: 'seats of a large date', table: 'seat', index: 'PRIMARY', ask: (em) => storedSeats(em, idOf('schedule', LARGE_DATE)) },
  { name: 'available seats of a date, counted', table: 'seat', index: 'seat_status_index', published: [150.9, 0.29], ask: (em) => availableSeatsOf(em, [date]) },
  { name: 'when the next hold of a date ends', table: 'seat', index: 'seat_status_index', ask: (em) => nextEndsOf(em, [date]) },
  { name: 'whether seats remain (admission)', table: 'seat', index: 'seat_status_index', ask: (em) => queueFactsOf(em, [concert]) },
  { name: 'holds that are over (sweeper)', table: 'reservation', index: 'reservation_expiry_index', published: [75.6, 16.3], ask: (em) => overdueHolds(em, 100) },
  { name: 'a page of my reservations', table: 'reservation', index: 'reservation_user_index', ask: (em) => reservationsOfUser(em, user, null, PAGE) },
  { name: 'what a user has of a concert (limit)', table: 'reservation', index: 'reservation_quota_index', ask: (em) => together(em, [liveReservationsOf([{ userId: user, concertId: concert }])]) },
  { name: 'whether a date owes anything still', table: 'seat', index: 'seat_status_index', ask: (em) => reservationsToEnd(em, idOf('schedule', LARGE_DATE), 50) },
  { name: 'how far a cancellation is', table: 'reservation', index: 'reservation_date_index', ask: (em) => progressOf(em, date, new Date(0)) },
  { name: 'a page of my payments', table: 'payment', index: 'payment_user_index', ask: (em) => em.find(Payment, { userId: user }, { orderBy: { id: 'desc' }, limit: PAGE }) },
  { name: 'whether a reservation is paid', table: 'payment', index: 'payment_reservation_unique', ask: (em) => em.findOne(Payment, { reservationId: unpaid }) },
  { name: 'passes that are over (tick)', table: 'queue_pass', index: 'queue_pass_open_index', ask: (em) => overduePasses(em, 500) },
  { name: 'open passes of a queue (recovery)', table: 'queue_pass', index: 'PRIMARY', ask: (em) => openPasses(em, concert, null, 500) },
  { name: 'passes of some users (return)', table: 'queue_pass', index: 'PRIMARY', ask: (em) => passesOfUsers(em, concert, [user]) },
  { name: 'events to publish (relay)', table: 'outbox_event', index: 'outbox_event_published_index', ask: (em) => unpublishedEvents(em, 100) },
  { name: 'the event published last (relay)', table: 'outbox_event', index: 'outbox_event_published_index', ask: (em) => lastPublished(em) },
  { name: 'how many events wait (metrics)', table: 'outbox_event', index: 'outbox_event_published_index', ask: (em) => outboxBacklog(em, 1000) },
  { name: 'sessions that are over (sweeper)', table: 'session', index: 'session_expiry_index', ask: (em) => em.transactional((inner) => deleteOverSessions(inner, 1000)) },
];
