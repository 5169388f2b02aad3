import type { EntityManager } from '@mikro-orm/mysql';
import { databaseNow } from '../clock.js';
import { Reservation } from '../entities/reservation.entity.js';

/** Reservations as they are at this moment: a hold whose end has come reads EXPIRED, whatever its row still says. */
export async function reservationsByIds(em: EntityManager, ids: string[]): Promise<Reservation[]> {
  const reservations = await em.find(Reservation, { id: { $in: ids } });
  return asOf(reservations, await databaseNow(em));
}

export function asOf(reservations: Reservation[], now: Date): Reservation[] {
  for (const reservation of reservations) {
    if (reservation.status === 'HELD' && reservation.expiresAt <= now) reservation.status = 'EXPIRED';
  }
  return reservations;
}
