import { buildSchema, parse, validate, type OperationDefinitionNode } from 'graphql';
import { v7 as uuid } from 'uuid';
import { WebhookDelivery } from '../../src/database/entities/webhook-delivery.entity.js';
import { fill, fillHeaders, learn, type Known } from '../../web/graphiql/memory.js';
import { tabOf } from '../../web/graphiql/tabs.js';
import { websocketClient } from '../support/client.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { ensureBuilt } from '../support/process.js';
import { filesOf, read } from '../support/sources.js';

const schema = buildSchema(read('src/schema/schema.graphql'));
const tabs = filesOf('web/graphiql/tabs', '.graphql').map((file) => {
  const { query, variables, headers } = tabOf(read(file));
  const document = parse(query);
  return { file, query, document, operation: document.definitions[0] as OperationDefinitionNode, variables: JSON.parse(variables || '{}'), headers: JSON.parse(headers || '{}') };
});
type Example = (typeof tabs)[number];
const rootFields = (kind: string): string[] =>
  tabs.filter(({ operation }) => operation.operation === kind).flatMap(({ operation }) => operation.selectionSet.selections.map((field) => (field.kind === 'Field' ? field.name.value : '')));

let frontrow: Frontrow;
beforeAll(async () => {
  ensureBuilt();
  frontrow = await startFrontrow({ worker: true, env: { SEED_DEMO: 'on', QUEUE_ADMIT_INTERVAL_MS: '100', QUEUE_TICK_MS: '20' } });
}, 60_000);
afterAll(() => frontrow.stop());

test.each(tabs)('$file is valid, one named operation', ({ document }) => {
  expect(validate(schema, document)).toEqual([]);
  expect(document.definitions).toHaveLength(1);
  expect(document.definitions[0]).toMatchObject({ kind: 'OperationDefinition', name: { kind: 'Name' } });
});

test('every mutation and every subscription has a tab', () => {
  expect([...new Set(rootFields('mutation'))].sort()).toEqual(Object.keys(schema.getMutationType()!.getFields()).sort());
  expect([...new Set(rootFields('subscription'))].sort()).toEqual(Object.keys(schema.getSubscriptionType()!.getFields()).sort());
});

test('O7: pressed one after the other, the tabs make the whole sale', async () => {
  const known: Known = {};
  const answers: Record<string, any> = {};
  for (const tab of tabs) {
    const data = tab.operation.operation === 'subscription' ? await watch(tab, known) : await send(tab, known);
    learn(data, known);
    answers[tab.operation.name!.value] = data;
    if (tab.operation.name!.value === 'CreateWebhook') await addDeadDelivery(known['webhookId']!);
  }
  expect(answers['SignIn'].signIn.__typename).toBe('Session');
  expect(answers['WatchQueue'].queuePosition.status).toBe('ACTIVE');
  expect(answers['Seats'].seats).toHaveLength(20);
  expect(answers['Reserve'].reserve.status).toBe('HELD');
  expect(answers['Pay'].pay.status).toBe('PAID');
  expect(answers['MyReservations'].me.reservations.nodes[0].status).toBe('CONFIRMED');
  expect(answers['CancelReservation'].cancelReservation.status).toBe('CONFIRMED');
  expect(answers['Refund'].refund.status).toBe('REFUNDED');
  expect(answers['RemoveSeats'].removeSeats).toMatchObject({ __typename: 'Schedule', totalSeats: 28 });
  expect(answers['DeleteSchedule'].deleteSchedule.__typename).toBe('Schedule');
  expect(answers['Redeliver'].redeliver).toMatchObject({ state: 'PENDING', attempts: 0 });
  expect(answers['DeleteWebhook'].deleteWebhook.id).toBe(answers['CreateWebhook'].createWebhook.webhook.id);
});

/** What takes hours to come about. */
const addDeadDelivery = (webhookId: string) =>
  frontrow.app.transactions.fork().insert(WebhookDelivery, {
    id: uuid(), webhookId, eventId: uuid(), eventType: 'PAYMENT_MADE', orderKey: 'none', sequence: 1, body: '{}',
    state: 'DEAD', attempts: 14, nextAt: new Date(), lastStatus: 500, lastError: 'status 500', createdAt: new Date(),
  });

async function send(tab: Example, known: Known): Promise<any> {
  const response = await fetch(`${frontrow.client().url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...fillHeaders(tab.headers, known) },
    body: JSON.stringify({ query: tab.query, variables: fill(tab.variables, known) }),
  });
  const { data, errors } = (await response.json()) as { data: Record<string, unknown>; errors?: unknown };
  expect({ tab: tab.file, errors }).toEqual({ tab: tab.file, errors: undefined });
  return data;
}

/** Watches a queue until admission; a tab without an end is only opened. */
async function watch(tab: Example, known: Known): Promise<any> {
  if (tab.operation.name?.value !== 'WatchQueue') return {};
  const client = websocketClient(frontrow.client().url, { accessToken: known['accessToken'] });
  try {
    for await (const { data, errors } of client.iterate<any>({ query: tab.query, variables: fill(tab.variables, known) })) {
      expect(errors).toBeUndefined();
      if (data.queuePosition.status === 'ACTIVE') return data;
    }
  } finally {
    await client.dispose();
  }
}

test('the page and its files come from the server itself', async () => {
  const url = frontrow.client().url;
  const page = await fetch(url);
  expect(page.url).toBe(`${url}/graphiql`);
  expect(page.headers.get('content-type')).toContain('text/html');
  const html = await page.text();
  expect(html).not.toMatch(/(src|href)="(https?:)?\/\//);
  for (const [, path] of html.matchAll(/(?:src|href)="([^"]+)"/g)) expect({ path, status: (await fetch(url + path!)).status }).toEqual({ path, status: 200 });
  expect((await fetch(`${url}/graphiql/nothing.js`)).status).toBe(404);
});

test('production serves no GraphiQL, but the JSON error of any unknown path', async () => {
  const production = await startFrontrow({ env: { NODE_ENV: 'production' } });
  for (const path of ['/graphiql', '/graphiql/', '/graphiql/main.js', '/']) {
    const answer = await fetch(production.client().url + path, { redirect: 'manual' });
    expect({ path, status: answer.status, body: await answer.json() }).toMatchObject({ path, status: 404, body: { errors: [{ extensions: { code: 'NOT_FOUND' } }] } });
  }
  await production.stop();
});

test('what is not known yet is left as it is, and a header of it is not sent', () => {
  expect(fill({ id: '{{concertId}}', list: ['{{a}} {{b}}', 1, null] }, { a: 'x' })).toEqual({ id: '{{concertId}}', list: ['x {{b}}', 1, null] });
  expect(fillHeaders({ Authorization: 'Bearer {{accessToken}}', 'X-Other': 'mine' }, {})).toEqual({ 'X-Other': 'mine' });
});
