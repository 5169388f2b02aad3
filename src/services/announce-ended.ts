import type { EndedReservation } from '../database/repositories/reservation.repository.js';
import type { Counters } from '../domain/counters.js';
import { topics, type PubSub } from '../redis/pubsub.js';
import type { SeatGate } from '../redis/seat-gate.js';
import { afterCommit } from './after-commit.js';

/** After the commit that ended reservations, however they ended: the gate lets others at the seats, and the owners hear of it. */
export async function announceEnded(ended: readonly EndedReservation[], gate: SeatGate, pubsub: PubSub, counters: Counters): Promise<void> {
  await Promise.all(
    ended.map(async (reservation) => {
      counters.reservationBecame(reservation.status);
      await afterCommit(counters, {
        'gate-free': () => gate.free(reservation, reservation.id),
        publish: () => pubsub.publish<'reservationChanged'>(topics.reservationChanged(reservation.userId), { reservationId: reservation.id }),
      });
    }),
  );
}

/** Whoever repeats the call that ended a reservation may be the first to reach the gate: the process of the first may have died after its commit. */
export async function freeAgain(ended: EndedReservation | null, gate: SeatGate, counters: Counters): Promise<void> {
  if (ended) await afterCommit(counters, { 'gate-free': () => gate.free(ended, ended.id) });
}
