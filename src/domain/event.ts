import type { Place } from './queue.js';

/** What other systems are told. Each type is told of by whoever makes the change, in the same transaction or script. */
export const EVENT_TYPES = [
  'RESERVATION_HELD',
  'RESERVATION_EXPIRED',
  'RESERVATION_CANCELLED',
  'PAYMENT_MADE',
  'PAYMENT_REFUNDED',
  'CHARGE_MADE',
  'QUEUE_JOINED',
  'QUEUE_ADMITTED',
  'QUEUE_LEFT',
  'QUEUE_EXPIRED',
  'QUEUE_COMPLETED',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** Raised when a reader of the old payload would misread the new one; a new field alone raises nothing. */
export const EVENT_VERSION = 1;

/** A change as whoever makes it tells of it. */
export interface Happening {
  type: EventType;
  occurredAt: Date;
  userId: string;
  concertId: string | null;
  reservationId: string | null;
  payload: Record<string, unknown>;
}

/** An event on its way out: the same `id` each time it is told. */
export interface OutgoingEvent extends Omit<Happening, 'payload'> {
  id: string;
  /** Among the events with the same `orderKeyOf`, the later is the higher. */
  sequence: number;
  /** JSON with its version. */
  payload: string;
}

export const versioned = (payload: Record<string, unknown>): string => JSON.stringify({ version: EVENT_VERSION, ...payload });

/** Events with the same key are told in their order: those of a reservation, of a user's queue, of a user's money. */
export const orderKeyOf = ({ reservationId, concertId, userId }: Pick<OutgoingEvent, 'reservationId' | 'concertId' | 'userId'>): string =>
  reservationId ?? (concertId === null ? userId : `${concertId}:${userId}`);

/** What befell a reservation, which happens to it once. */
export const changeOf = (type: EventType, reservationId: string): string => `${type} ${reservationId}`;

/** The body a webhook gets; the stream has the same fields, the payload as text. */
export function bodyOf({ id, type, occurredAt, userId, concertId, reservationId, payload }: OutgoingEvent): string {
  return JSON.stringify({ id, type, occurredAt: occurredAt.toISOString(), userId, concertId, reservationId, payload: JSON.parse(payload) as unknown });
}

/** Who gave up which place of a queue. */
export const placesLeft = (events: readonly OutgoingEvent[]): Place[] =>
  events.flatMap(({ type, userId, payload }) => (type === 'QUEUE_LEFT' ? [{ userId, place: (JSON.parse(payload) as { place: number }).place }] : []));
