import { jest } from '@jest/globals';
import { GIVEN_UP_AFTER_MS } from '../../src/server/limits.js';
import { startEdge, type Edge } from '../support/edge.js';
import { eventually } from '../support/eventually.js';
import { overSocket } from '../support/raw-socket.js';

/** What never ends by itself. */

let running = 0;
const begin = <T>(outcome: Promise<T>) => (): Promise<T> => ((running += 1), outcome);
const never = begin(new Promise<never>(() => undefined));
const late = Promise.withResolvers<AsyncGenerator>();
let ended = false;

let edge: Edge;
beforeAll(async () => {
  edge = await startEdge({
    'Query.wait': { resolve: never },
    'Mutation.add': { resolve: never },
    'Subscription.endless': { subscribe: never },
    'Subscription.ticks': { subscribe: begin(late.promise) },
  });
});
afterAll(() => edge.stop());
afterEach(() => jest.useRealTimers());

test('every operation is answered by its deadline, and every subscription starts by it or not at all', async () => {
  // The clock stands until it is moved: no busy machine makes anybody late.
  jest.useFakeTimers({ doNotFake: ['Date', 'hrtime', 'nextTick', 'queueMicrotask', 'setImmediate', 'clearImmediate'] });
  let answered = 0;
  const counted = <T>(answer: Promise<T>): Promise<T> => answer.finally(() => (answered += 1));
  const answers = Promise.all([
    counted(edge.client.raw('{ wait }', {})),
    counted(edge.client.raw('mutation { add(amount: 1) }', {})),
    counted(overSocket(edge.url, 'subscription { endless }')),
    counted(overSocket(edge.url, 'subscription { ticks(count: 1) { value } }')),
  ]);
  await eventually(() => running === 4, 'all of them to run');
  jest.advanceTimersByTime(GIVEN_UP_AFTER_MS - 1);
  await edge.client.raw('{ public }', {});
  expect(answered).toBe(0);
  jest.advanceTimersByTime(1);
  const [query, mutation, [endless], [ticks]] = await answers;
  const extensions = { code: 'SERVICE_UNAVAILABLE', retryAfterSeconds: 5 };
  for (const answer of [query, mutation]) {
    expect(answer).toEqual({ status: 503, errors: [{ message: expect.stringContaining('may or may not have happened'), extensions }] });
  }
  for (const { payload } of [endless, ticks]) expect((payload.errors ?? payload)[0].extensions).toEqual(extensions);
  expect(edge.log().filter(({ msg }) => String(msg).includes('did not come in time'))).toHaveLength(2);
  expect(await edge.app.metrics.registry.metrics()).toContain('frontrow_operations_total{type="mutation",field="add",code="SERVICE_UNAVAILABLE"} 1');

  jest.useRealTimers();
  const source = { [Symbol.asyncIterator]: () => source, next: never, return: () => Promise.resolve({ done: (ended = true), value: undefined }) };
  late.resolve(source as never);
  await eventually(() => ended, 'the source that came too late to be let go');
});
