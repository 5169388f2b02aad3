/** The field of an answer whose object's id is worth remembering, and under what name. */
const ID_OF = {
  concerts: 'concertId',
  concert: 'concertId',
  createConcert: 'concertId',
  schedules: 'scheduleId',
  createSchedule: 'scheduleId',
  reserve: 'reservationId',
  pay: 'paymentId',
  venue: 'venueId',
  createVenue: 'venueId',
};
const TOKENS = ['accessToken', 'refreshToken'];

/** What an answer teaches for later examples: the first id of each kind, and tokens. Adds to `known`. */
export function learn(data, known = {}) {
  walk(data, undefined, known);
  return known;
}

function walk(value, field, known) {
  if (Array.isArray(value)) return value.length > 0 ? walk(value[0], field, known) : undefined;
  if (value === null || typeof value !== 'object') return undefined;
  const idName = ID_OF[field];
  if (idName && typeof value.id === 'string') known[idName] = value.id;
  for (const name of TOKENS) if (typeof value[name] === 'string') known[name] = value[name];
  if (field === 'joinQueue' && typeof value.token === 'string') known.queueToken = value.token;
  for (const [name, inner] of Object.entries(value)) walk(inner, name === 'nodes' ? field : name, known);
  return undefined;
}

/** Puts known values in the place of `{{name}}`. An unknown one stays, and the server says what is wrong with it. */
export function fill(value, known) {
  if (typeof value === 'string') return value.replace(/\{\{(\w+)\}\}/g, (whole, name) => known[name] ?? whole);
  if (Array.isArray(value)) return value.map((item) => fill(item, known));
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, fill(inner, known)]));
  return value;
}

/** Headers with a `{{name}}` that is not known yet are left out: not signed in yet is not a bad token. */
export const fillHeaders = (headers, known) => Object.fromEntries(Object.entries(fill(headers, known)).filter(([, value]) => !/\{\{\w+\}\}/.test(value)));
