import { GIVEN_UP_AFTER_MS, REQUEST_DEADLINE_MS } from '../../src/server/limits.js';
import { startEdge, type Edge } from '../support/edge.js';
import { eventually } from '../support/eventually.js';
import { overSocket } from '../support/raw-socket.js';

/** What never ends by itself. */

const never = (): Promise<never> => new Promise(() => undefined);
const late = Promise.withResolvers<AsyncGenerator>();
let ended = false;

let edge: Edge;
beforeAll(async () => {
  edge = await startEdge({
    'Query.wait': { resolve: never },
    'Mutation.add': { resolve: never },
    'Subscription.endless': { subscribe: never },
    'Subscription.ticks': { subscribe: () => late.promise },
  });
});
afterAll(() => edge.stop());

test('every operation is answered by its deadline, and every subscription starts by it or not at all', async () => {
  const started = performance.now();
  const [query, mutation, [endless], [ticks]] = await Promise.all([
    edge.client.raw('{ wait }', {}),
    edge.client.raw('mutation { add(amount: 1) }', {}),
    overSocket(edge.url, 'subscription { endless }'),
    overSocket(edge.url, 'subscription { ticks(count: 1) { value } }'),
  ]);
  const ms = performance.now() - started;
  expect(ms).toBeGreaterThanOrEqual(GIVEN_UP_AFTER_MS - 1);
  expect(ms).toBeLessThan(REQUEST_DEADLINE_MS);
  const extensions = { code: 'SERVICE_UNAVAILABLE', retryAfterSeconds: 5 };
  for (const answer of [query, mutation]) {
    expect(answer).toEqual({ status: 503, errors: [{ message: expect.stringContaining('may or may not have happened'), extensions }] });
  }
  for (const { payload } of [endless, ticks]) expect((payload.errors ?? payload)[0].extensions).toEqual(extensions);
  expect(edge.log().filter(({ msg }) => String(msg).includes('did not come in time'))).toHaveLength(2);
  expect(await edge.app.metrics.registry.metrics()).toContain('frontrow_operations_total{type="mutation",field="add",code="SERVICE_UNAVAILABLE"} 1');

  const source = { [Symbol.asyncIterator]: () => source, next: never, return: () => Promise.resolve({ done: (ended = true), value: undefined }) };
  late.resolve(source as never);
  await eventually(() => ended, 'the source that came too late to be let go');
});
