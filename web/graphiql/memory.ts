/** Values of earlier answers by name: what `{{name}}` stands for. */
export type Known = Record<string, string>;

/** The field of an answer whose object's id is worth remembering, and under what name. */
const ID_OF: Record<string, string> = {
  concerts: 'concertId',
  concert: 'concertId',
  createConcert: 'concertId',
  schedules: 'scheduleId',
  createSchedule: 'scheduleId',
  reserve: 'reservationId',
  pay: 'paymentId',
  venue: 'venueId',
  createVenue: 'venueId',
  webhook: 'webhookId',
  webhooks: 'webhookId',
  deadDeliveries: 'deliveryId',
};
const TOKENS = ['accessToken', 'refreshToken'];

/** What an answer teaches for later examples: the first id of each kind, and tokens. Adds to `known`. */
export function learn(data: unknown, known: Known = {}): Known {
  walk(data, '', known);
  return known;
}

function walk(value: unknown, field: string, known: Known): void {
  if (Array.isArray(value)) {
    if (value.length > 0) walk(value[0], field, known);
    return;
  }
  if (value === null || typeof value !== 'object') return;
  const fields = value as Record<string, unknown>;
  const note = (name: string | undefined, text: unknown): void => {
    if (name !== undefined && typeof text === 'string') known[name] = text;
  };
  note(ID_OF[field], fields['id']);
  for (const name of TOKENS) note(name, fields[name]);
  if (field === 'joinQueue') note('queueToken', fields['token']);
  for (const [name, inner] of Object.entries(fields)) walk(inner, name === 'nodes' ? field : name, known);
}

/** Puts known values in the place of `{{name}}`. An unknown one stays, and the server says what is wrong with it. */
export function fill<Value>(value: Value, known: Known): Value {
  if (typeof value === 'string') return value.replace(/\{\{(\w+)\}\}/g, (whole, name: string) => known[name] ?? whole) as Value;
  if (Array.isArray(value)) return value.map((item) => fill(item, known)) as Value;
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, fill(inner, known)])) as Value;
  return value;
}

/** Headers with a `{{name}}` that is not known yet are left out: not signed in yet is not a bad token. */
export const fillHeaders = (headers: Record<string, string>, known: Known): Record<string, string> =>
  Object.fromEntries(Object.entries(fill(headers, known)).filter(([, value]) => !/\{\{\w+\}\}/.test(value)));
