import { validate, version } from 'uuid';
import { quickId } from '../../src/domain/ids.js';

test('quick ids are UUIDs of version 7, each another, and grow with time', () => {
  const from = Date.now();
  const ids = Array.from({ length: 1000 }, quickId);
  const to = Date.now();
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) {
    expect([validate(id), version(id)]).toEqual([true, 7]);
    const at = Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
    expect(at).toBeGreaterThanOrEqual(from);
    expect(at).toBeLessThanOrEqual(to);
  }
});
