import { LastKnown } from '../../src/database/last-known.js';
import { DatabaseSigns } from '../../src/database/pool-watch.js';
import { notFound } from '../../src/domain/errors.js';

const away = new Error('away');

test('what was read is told while the database is away, the longest unread is forgotten first, and a page counts as many as it has', async () => {
  const signs = new DatabaseSigns();
  const known = new LastKnown(signs, 4);
  const read = (key: string, value: unknown) => known.read(key, () => Promise.resolve(value));
  await read('a', 1);
  await read('b', 2);
  await read('a', 3);
  await read('page', { nodes: ['x', 'y', 'z'] });
  signs.missing();
  const told = (key: string) => known.read(key, () => Promise.reject(away));
  expect(await told('a')).toBe(3);
  expect(await told('page')).toEqual({ nodes: ['x', 'y', 'z'] });
  await expect(told('b')).rejects.toBe(away);
});

test('while the database answers nothing old is told: an error of its own stays one, and what is gone is forgotten', async () => {
  const signs = new DatabaseSigns();
  const known = new LastKnown(signs);
  await known.read('a', () => Promise.resolve(1));
  await expect(known.read('a', () => Promise.reject(away))).rejects.toBe(away);
  expect(await known.read('a', () => Promise.resolve(2))).toBe(2);
  expect(await known.each(['a'], () => Promise.resolve([notFound('concert')]))).toEqual([notFound('concert')]);
  signs.missing();
  await expect(known.read('a', () => Promise.reject(away))).rejects.toBe(away);
});
