import { randomUUID } from 'node:crypto';
import { createClient } from 'graphql-ws';

/** `npm run tour [url]`: buys two seats from a running Frontrow as a new buyer, step by step, and prints what it answers. Ends with 1 when a step goes wrong. */
const url = (process.argv[2] ?? `http://127.0.0.1:${process.env['PORT'] || 4000}`).replace(/\/+$/, '');
const ADMISSION_TIMEOUT_MS = 60_000;
const SEATS_WANTED = 2;

interface Concert {
  id: string;
  title: string;
  schedules: { id: string; startsAt: string; availableSeats: number }[];
}

interface Position {
  status: string;
  position: number;
  waiting: number;
  expiresAt: string | null;
}

const headers: Record<string, string> = { 'content-type': 'application/json' };

async function ask<Data>(query: string, variables: Record<string, unknown> = {}): Promise<Data> {
  const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = (await response.json()) as { data?: Data; errors?: { message: string; extensions: { code: string } }[] };
  if (errors?.[0]) throw new Error(`${errors[0].extensions.code}: ${errors[0].message}`);
  return data!;
}

/** A refusal is an answer too, but not the one a tour wants. */
function unless<Member extends { __typename: string; message?: string }>(wanted: string, member: Member): Member {
  if (member.__typename !== wanted) throw new Error(`${member.__typename}: ${member.message}`);
  return member;
}

const tell = (step: string, what: string): void => console.log(`${step.padEnd(14)} ${what}`);

async function signUp(): Promise<void> {
  const input = { email: `tour-${randomUUID()}@example.com`, password: randomUUID(), name: 'Tour' };
  const { signUp: session } = await ask<{ signUp: { __typename: string; accessToken: string; user: { email: string } } }>(
    'mutation ($input: SignUpInput!) { signUp(input: $input) { __typename ... on Session { accessToken user { email } } ... on Refusal { message } } }',
    { input },
  );
  headers['authorization'] = `Bearer ${unless('Session', session).accessToken}`;
  tell('signUp', session.user.email);
}

async function findDate(): Promise<{ concert: Concert; scheduleId: string }> {
  const { concerts } = await ask<{ concerts: { nodes: (Concert & { saleOpensAt: string })[] } }>(
    '{ concerts(first: 100) { nodes { id title saleOpensAt schedules(availableOnly: true) { id startsAt availableSeats } } } }',
  );
  for (const concert of concerts.nodes.filter(({ saleOpensAt }) => Date.parse(saleOpensAt) <= Date.now())) {
    const date = concert.schedules.find(({ availableSeats }) => availableSeats >= SEATS_WANTED);
    if (!date) continue;
    tell('concerts', `${concert.title}, ${date.startsAt}: ${date.availableSeats} seats left`);
    return { concert, scheduleId: date.id };
  }
  throw new Error('No concert on sale has two seats left. Start with other data: DATA_DIR=… npm start');
}

async function joinQueue(concertId: string): Promise<void> {
  const { joinQueue: place } = await ask<{ joinQueue: { token: string; position: Position } }>(
    'mutation ($concertId: ID!) { joinQueue(concertId: $concertId) { token position { status position waiting expiresAt } } }',
    { concertId },
  );
  headers['x-queue-token'] = place.token;
  tell('joinQueue', `${place.position.status}, position ${place.position.position} of ${place.position.waiting}`);
}

/** Over the websocket, as a page does it: each message is a move of the line, the last one wanted is the admission. */
async function waitForAdmission(concertId: string): Promise<void> {
  const client = createClient({ url: `${url.replace(/^http/, 'ws')}/graphql`, connectionParams: { authorization: headers['authorization'] }, retryAttempts: 3 });
  const tooLong = setTimeout(() => void client.dispose(), ADMISSION_TIMEOUT_MS);
  try {
    const query = 'subscription ($concertId: ID!) { queuePosition(concertId: $concertId) { status position waiting expiresAt } }';
    for await (const { data, errors } of client.iterate<{ queuePosition: Position }>({ query, variables: { concertId } })) {
      if (errors?.[0]) throw new Error(errors[0].message);
      const { status, position, waiting, expiresAt } = data!.queuePosition;
      tell('queuePosition', status === 'WAITING' ? `WAITING, position ${position} of ${waiting}` : `${status}${expiresAt ? ` until ${expiresAt}` : ''}`);
      if (status === 'ACTIVE') return;
    }
    throw new Error(`Not admitted within ${ADMISSION_TIMEOUT_MS / 1000} s.`);
  } finally {
    clearTimeout(tooLong);
    await client.dispose();
  }
}

async function reserve(scheduleId: string): Promise<{ id: string; totalPrice: number }> {
  const { seats } = await ask<{ seats: { number: number; section: string; row: string; grade: string; price: number }[] }>(
    'query ($scheduleId: ID!, $first: Int!) { seats(scheduleId: $scheduleId, status: AVAILABLE, first: $first) { number section row grade price } }',
    { scheduleId, first: SEATS_WANTED },
  );
  for (const seat of seats) tell('seats', `${seat.number}: ${seat.section}, row ${seat.row}, grade ${seat.grade}, ${seat.price}`);
  const { reserve: held } = await ask<{ reserve: { __typename: string; message?: string; id: string; status: string; totalPrice: number; expiresAt: string } }>(
    'mutation ($input: ReserveInput!) { reserve(input: $input) { __typename ... on Reservation { id status totalPrice expiresAt } ... on Refusal { message } } }',
    { input: { scheduleId, seatNumbers: seats.map(({ number }) => number) } },
  );
  unless('Reservation', held);
  tell('reserve', `${held.status} until ${held.expiresAt}, ${held.totalPrice} in all`);
  return held;
}

async function pay(reservationId: string, amount: number): Promise<void> {
  const { charge } = await ask<{ charge: { __typename: string; message?: string; balance: number } }>(
    'mutation ($input: ChargeInput!) { charge(input: $input) { __typename ... on Charge { balance } ... on Refusal { message } } }',
    { input: { amount, idempotencyKey: randomUUID() } },
  );
  tell('charge', `balance ${unless('Charge', charge).balance}`);
  const { pay: payment } = await ask<{ pay: { __typename: string; message?: string; status: string; amount: number; balance: number } }>(
    'mutation ($input: PayInput!) { pay(input: $input) { __typename ... on Payment { status amount balance } ... on Refusal { message } } }',
    { input: { reservationId } },
  );
  unless('Payment', payment);
  tell('pay', `${payment.status} ${payment.amount}, balance ${payment.balance}`);
}

async function show(): Promise<void> {
  const { me } = await ask<{ me: { reservations: { nodes: { status: string; seats: { number: number }[] }[] } } }>('{ me { reservations(first: 1) { nodes { status seats { number } } } } }');
  const [bought] = me.reservations.nodes;
  tell('me', `${bought?.status}: seats ${bought?.seats.map(({ number }) => number).join(', ')}`);
  if (bought?.status !== 'CONFIRMED') throw new Error('The seats are not ours.');
}

try {
  const { concert, scheduleId } = await findDate();
  await signUp();
  await joinQueue(concert.id);
  await waitForAdmission(concert.id);
  const held = await reserve(scheduleId);
  await pay(held.id, held.totalPrice);
  await show();
} catch (error) {
  const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : '';
  console.error(`The tour stopped: ${error instanceof Error ? error.message : String(error)}${cause}. Is Frontrow running at ${url}?`);
  process.exitCode = 1;
}
