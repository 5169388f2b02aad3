import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { graphqlClient } from '../support/client.js';
import { ensureBuilt, startProcess, type FrontrowProcess } from '../support/process.js';
import { launchChromium } from './chromium.js';

const SCREENSHOTS = 'coverage/screenshots';
const HEADERS_EDITOR = '.graphiql-editor-tool .graphiql-editor:not(.hidden) .view-lines';
const ANSWER_TIMEOUT_MS = 15_000;
const folder = mkdtempSync(join(tmpdir(), 'frontrow-browser-'));

let frontrow: FrontrowProcess;
let browser: Browser;
let page: Page;
const asked: string[] = [];
const complaints: string[] = [];

beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  ensureBuilt();
  [frontrow, browser] = await Promise.all([
    startProcess({ DATA_DIR: join(folder, 'data'), NODE_ENV: 'development', QUEUE_ADMIT_INTERVAL_MS: '1000' }),
    launchChromium(join(folder, 'profile')),
  ]);
  page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  page.on('request', (request) => asked.push(request.url()));
  page.on('websocket', (socket) => asked.push(socket.url()));
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
}, 300_000);
afterAll(async () => {
  await browser?.close();
  await frontrow?.end();
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
});

const openTab = (name: string): Promise<void> => page.getByRole('tab', { name, exact: true }).click();
const run = (): Promise<void> => page.getByRole('button', { name: /Execute query/ }).click();
/** Monaco shows blanks as no-break spaces, and only the lines in view. */
const answer = async (): Promise<string> => ((await page.locator('.graphiql-response .view-lines').textContent()) ?? '').replaceAll('\u00a0', ' ');

async function answers(wanted: RegExp): Promise<string> {
  const pattern = new RegExp(wanted.source.replaceAll(' ', '[\\s\\u00a0]'), wanted.flags);
  const shown = page.locator('.graphiql-response .view-lines').filter({ hasText: pattern });
  await shown.waitFor({ timeout: ANSWER_TIMEOUT_MS }).catch(async () => {
    await shot('unexpected');
    throw new Error(`Expected ${wanted}, but GraphiQL shows: ${await answer()}`);
  });
  return answer();
}

/** Replaces what an editor holds, as a person would. */
async function write(editor: string, text: string): Promise<void> {
  await page.locator(editor).first().click();
  await page.keyboard.press('Control+A');
  await page.keyboard.press('Delete');
  await page.keyboard.insertText(text);
}

const shot = (name: string): Promise<Buffer> => page.screenshot({ path: `${SCREENSHOTS}/${name}.png` });

test('a query: what is on sale', async () => {
  await page.goto(frontrow.url);
  await page.locator('.graphiql-query-editor .view-lines').filter({ hasText: 'Concerts' }).waitFor({ timeout: 30_000 });
  await shot('1-opened');
  await run();
  await answers(/"concerts": /);
  await shot('2-concerts');
});

test('a mutation: signing in, with variables', async () => {
  await openTab('SignIn');
  await run();
  await answers(/"__typename": "Session"/);
  await shot('3-signed-in');
});

test('the queue: a mutation, and a live subscription with a token written into the headers editor', async () => {
  await openTab('JoinQueue');
  await run();
  await answers(/"status": "(WAITING|ACTIVE)"/);
  const { accessToken, concertId } = JSON.parse((await page.evaluate(() => sessionStorage.getItem('frontrow:remembered')))!) as Record<string, string>;
  await openTab('WatchQueue');
  await page.getByRole('button', { name: 'Headers', exact: true }).click();
  await write(HEADERS_EDITOR, JSON.stringify({ Authorization: `Bearer ${accessToken}` }));
  await run();
  await answers(/"status": "ACTIVE"/);
  expect(asked).toContain(`${frontrow.url.replace('http', 'ws')}/graphql`);
  await shot('4-admitted');
  // Left by another door: the page hears of it without asking.
  const left = await graphqlClient(frontrow.url).raw('mutation ($id: ID!) { leaveQueue(concertId: $id) }', { id: concertId }, { accessToken: accessToken! });
  expect(left.data).toEqual({ leaveQueue: true });
  await answers(/"status": "EXPIRED"/);
});

test('joined again, the place moves up to admission', async () => {
  await openTab('JoinQueue');
  await run();
  await answers(/"status": "(WAITING|ACTIVE)"/);
  await openTab('WatchQueue');
  await run();
  await answers(/"status": "ACTIVE"/);
  await page.getByRole('button', { name: /Stop/ }).click();
});

test('the rest of the sale, tab by tab', async () => {
  for (const [tab, wanted] of [
    ['Seats', /"status": "AVAILABLE"/],
    ['Reserve', /"status": "HELD"/],
    ['Charge', /"__typename": "Charge"/],
    ['Pay', /"status": "PAID"/],
    ['MyReservations', /"status": "CONFIRMED"/],
    ['Refund', /"status": "REFUNDED"/],
  ] as const) {
    await openTab(tab);
    await run();
    await answers(wanted);
    await shot(`5-${tab}`);
  }
});

test('headers written by hand are sent: a wrong token is refused, over HTTP and websocket', async () => {
  for (const tab of ['MyReservations', 'WatchReservations']) {
    await openTab(tab);
    await page.getByRole('button', { name: 'Headers', exact: true }).click();
    await write(HEADERS_EDITOR, '{"Authorization": "Bearer wrong"}');
    await run();
    await answers(/UNAUTHENTICATED|4401|4403|Unauthorized|Forbidden/);
    await shot(`6-${tab}`);
  }
});

test('the page asked no other host for anything and complained of nothing', async () => {
  expect(asked.length).toBeGreaterThan(5);
  const own = new URL(frontrow.url).host;
  expect(asked.filter((url) => !url.startsWith('data:') && !url.startsWith('blob:') && new URL(url).host !== own)).toEqual([]);
  // GraphiQL itself logs the refusal that the test before provoked.
  expect(complaints.filter((text) => text !== 'Error: Socket closed with event 4403 Forbidden')).toEqual([]);
});
