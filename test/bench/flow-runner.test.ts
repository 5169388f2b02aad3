import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FlowRunner, SecondTally, timelineOf } from '../../bench/support/flow-runner.js';
import type { FlowsJob, FlowsResult } from '../../bench/support/load-jobs.js';

/** What people who go through a flow meet is counted as what it is. */

let server: Server;
let folder: string;
/** By what a person says. */
const ANSWERS: Record<string, { status: number; body: string }> = {
  good: { status: 200, body: '{"data":{"reserve":{"__typename":"Reservation","id":"r1"}}}' },
  late: { status: 200, body: '{"data":{"reserve":{"__typename":"SeatsUnavailable"}}}' },
  unlucky: { status: 200, body: '{"errors":[{"message":"fault"}],"data":null}' },
  lost: { status: 500, body: '' },
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flow-runner-'));
  server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString())).on('end', () => {
      const { status, body } = ANSWERS[text] ?? ANSWERS['good']!;
      response.writeHead(status, { 'content-length': Buffer.byteLength(body) }).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

function walk(people: readonly string[], ms: number, more: Partial<FlowsJob> = {}): Promise<FlowsResult> {
  const file = join(folder, `${people.join('-').slice(0, 50)}-${ms}.json`);
  writeFileSync(file, JSON.stringify(people.map((says) => ({ accessToken: 'token', says }))));
  const steps = [{ name: 'reserve', body: '{{says}}', succeeds: '"__typename":"Reservation"', finds: { reservationId: '"id":"([^"]+)"' } }, { name: 'pay', body: '{{reservationId}}', succeeds: '"Reservation"' }];
  return new FlowRunner({ kind: 'flows', port: (server.address() as AddressInfo).port, steps, people: file, from: 0, to: people.length, stages: [{ ms, users: 2 }], pids: [], ...more }).run();
}

const HOUR_MS = 3_600_000;

test('who comes through is completed, a refusal is one, and errors and bad statuses are failures', async () => {
  const result = await walk(['good', 'late', 'unlucky', 'lost', 'good'], HOUR_MS);
  expect(result).toMatchObject({ completed: 2, refused: 1, failed: 2, used: 5 });
  expect(result.firstErrors.toSorted()).toEqual([expect.stringContaining('reserve was refused: '), expect.stringContaining('reserve: 200 {"errors"'), expect.stringContaining('reserve: 500')]);
});

test('too few people for the time are told, with a line in front and without', async () => {
  expect((await walk(['good', 'good', 'good'], HOUR_MS)).ranOut).toBe(true);
  expect((await walk(['good', 'good', 'good'], HOUR_MS, { ahead: 2 })).ranOut).toBe(true);
  expect((await walk(Array.from({ length: 20_000 }, () => 'good'), 20)).ranOut).toBe(false);
});

test('a second in which nobody was answered has its place in the timeline', () => {
  const seconds: SecondTally[] = [];
  for (const at of [0, 2]) (seconds[at] = new SecondTally()).times.add(1);
  expect(timelineOf(seconds).map(({ second, answered }) => [second, answered])).toEqual([[0, 1], [1, 0], [2, 1]]);
});
