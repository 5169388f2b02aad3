import { badInput } from './errors.js';

export const PAGE_SIZE_MAX = 100;
export const SEATS_PER_REQUEST_MAX = 100;
export const EMAIL_MAX = 254;
export const NAME_MAX = 100;
export const PASSWORD_MIN = 8;
export const PASSWORD_MAX = 128;
export const IDEMPOTENCY_KEY_MAX = 255;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;
const PRINTABLE_ASCII = /^[\x20-\x7e]+$/;
const CONTROL = /\p{Cc}/u;

/** A UUID in its canonical lower-case form. */
export function uuidOf(field: string, value: string): string {
  const id = value.toLowerCase();
  if (!UUID.test(id)) throw badInput(field, 'Not a valid id: ids are UUIDs.');
  return id;
}

export function pageSizeOf(field: string, first: number): number {
  if (!Number.isInteger(first) || first < 1 || first > PAGE_SIZE_MAX) throw badInput(field, `Must be from 1 to ${PAGE_SIZE_MAX}.`);
  return first;
}

/** E-mail addresses are compared without case, so they are kept in lower case. */
export function emailOf(field: string, value: string): string {
  const email = value.trim().normalize('NFC').toLowerCase();
  if (email.length > EMAIL_MAX) throw badInput(field, `An e-mail address has at most ${EMAIL_MAX} characters.`);
  if (!EMAIL.test(email) || CONTROL.test(email)) throw badInput(field, 'Not a valid e-mail address.');
  return email;
}

export function passwordOf(field: string, value: string): string {
  const length = [...value].length;
  if (length < PASSWORD_MIN || length > PASSWORD_MAX) throw badInput(field, `A password has ${PASSWORD_MIN} to ${PASSWORD_MAX} characters.`);
  return value;
}

/** A password offered at sign-in: only bounded, since anything else about it would tell what passwords look like. */
export function givenPasswordOf(field: string, value: string): string {
  if ([...value].length > PASSWORD_MAX) throw badInput(field, `A password has at most ${PASSWORD_MAX} characters.`);
  return value;
}

/** Text that people read: trimmed, composed the same way whatever was typed on, not empty, bounded, without control characters. */
export function textOf(field: string, value: string, max: number): string {
  const text = value.trim().normalize('NFC');
  if (text.length === 0) throw badInput(field, 'Must not be empty.');
  if ([...text].length > max) throw badInput(field, `Must have at most ${max} characters.`);
  if (CONTROL.test(text)) throw badInput(field, 'Must not contain control characters.');
  return text;
}

export function idempotencyKeyOf(field: string, value: string): string {
  if (value.length > IDEMPOTENCY_KEY_MAX || !PRINTABLE_ASCII.test(value)) {
    throw badInput(field, `Must be 1 to ${IDEMPOTENCY_KEY_MAX} printable ASCII characters.`);
  }
  return value;
}

/** Seat numbers asked for: ascending, none doubled, from 1 to the date's capacity. */
export function seatNumbersOf(field: string, numbers: readonly number[], capacity: number, max = SEATS_PER_REQUEST_MAX): number[] {
  if (numbers.length === 0) throw badInput(field, 'Ask for at least one seat.');
  if (numbers.length > max) throw badInput(field, `Ask for at most ${max} seats at once.`);
  if (new Set(numbers).size !== numbers.length) throw badInput(field, 'A seat number is doubled.');
  const outside = numbers.filter((number) => !Number.isInteger(number) || number < 1 || number > capacity);
  if (outside.length > 0) throw badInput(field, `The date has no seat ${outside.join(', ')}; its seats are 1 to ${capacity}.`);
  return [...numbers].sort((a, b) => a - b);
}
