import { setImmediate } from 'node:timers/promises';

const PART = 1000;

/**
 * A long list, of which GraphQL completes a part at a time with room for other requests between: the 100,000 seats of a stadium in one go
 * would stop the process for seconds.
 */
export function inParts<T>(items: readonly T[]): readonly (T | Promise<T>)[] {
  if (items.length <= PART) return items;
  let turn: Promise<unknown> = Promise.resolve();
  return items.map((item, index) => {
    if (index > 0 && index % PART === 0) turn = turn.then(() => setImmediate());
    return turn.then(() => item);
  });
}
