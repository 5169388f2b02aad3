import type { History, Operation } from './history.js';

/** What the history says about one user, key, reservation or seat, without looking through all of it each time. */
export class OperationIndex {
  readonly #ofEffect = new Map<string, Operation[]>();
  readonly #ofReservation = new Map<string, Operation[]>();
  readonly #ofSeat = new Map<string, Operation[]>();
  readonly #ofUser = new Map<string, Operation[]>();

  constructor(readonly history: History) {
    for (const operation of history.operations) {
      const { name, process, key, args, value } = operation;
      add(this.#ofEffect, effectOf(name, process, key), operation);
      add(this.#ofUser, process, operation);
      const told = value as { id?: string; reservationId?: string } | null | undefined;
      const reservationId = name === 'reserve' ? told?.id : ((args['reservationId'] as string | undefined) ?? told?.reservationId);
      if (reservationId) add(this.#ofReservation, reservationId, operation);
      if (name !== 'reserve') continue;
      for (const number of args['seatNumbers'] as number[]) add(this.#ofSeat, `${String(args['scheduleId'])} ${number}`, operation);
    }
  }

  /** All calls that mean the same effect. */
  effect(name: string, userId: string, key: string): readonly Operation[] {
    return this.#ofEffect.get(effectOf(name, userId, key)) ?? [];
  }

  aboutReservation(id: string): readonly Operation[] {
    return this.#ofReservation.get(id) ?? [];
  }

  aboutSeat(scheduleId: string, number: number): readonly Operation[] {
    return this.#ofSeat.get(`${scheduleId} ${number}`) ?? [];
  }

  ofUser(userId: string): readonly Operation[] {
    return this.#ofUser.get(userId) ?? [];
  }
}

const effectOf = (name: string, userId: string, key: string): string => `${name} ${userId} ${key}`;

function add(map: Map<string, Operation[]>, key: string, operation: Operation): void {
  const known = map.get(key);
  if (known) known.push(operation);
  else map.set(key, [operation]);
}

/** `4,7`: how a call names seats. */
export const seatsKey = (scheduleId: string, seatNumbers: readonly number[]): string => `${scheduleId} ${[...seatNumbers].sort((a, b) => a - b).join(',')}`;

/** Its effect may have been, or may still be. */
export const isUnknown = ({ outcome }: Operation): boolean => outcome === 'unknown' || outcome === null;
