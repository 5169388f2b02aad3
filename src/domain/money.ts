import { badInput } from './errors.js';

/** The largest amount a JSON number carries exactly. */
export const MONEY_MAX = Number.MAX_SAFE_INTEGER;

/** An amount in the currency's minor unit: a whole number from 0 to MONEY_MAX. */
export const isMoney = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** An amount that moves: positive and at most `max`. */
export function assertAmount(field: string, amount: number, max: number): void {
  if (!isMoney(amount) || amount === 0) throw badInput(field, 'The amount must be a positive whole number in the minor unit.');
  if (amount > max) throw badInput(field, `The amount may be at most ${max}.`);
}
