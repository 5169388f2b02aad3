import { REFRESH_REPEAT_MS, refreshVerdict, type RefreshVerdict, type SessionFamily } from '../../src/domain/session.js';

const ROTATED_MS = 1_800_000_000_000;
const family: SessionFamily = { generation: 5, rotatedAt: new Date(ROTATED_MS), expiresAt: new Date(ROTATED_MS + 60_000), revokedAt: null };

test.each<[string, number, number, Partial<SessionFamily>, RefreshVerdict]>([
  ['the newest token rotates', 5, 0, {}, 'rotate'],
  ['the newest token rotates until the very end', 5, 59_999, {}, 'rotate'],
  ['the end belongs to the time after it', 5, 60_000, {}, 'dead'],
  ['the token before is repeated at once', 4, 0, {}, 'repeat'],
  ['the token before is repeated for 10 s', 4, REFRESH_REPEAT_MS, {}, 'repeat'],
  ['the token before is reused after that', 4, REFRESH_REPEAT_MS + 1, {}, 'reused'],
  ['an older token is reused, however young', 3, 0, {}, 'reused'],
  ['a token of a generation that never was is reused', 6, 0, {}, 'reused'],
  ['a revoked family is dead for its newest token', 5, 0, { revokedAt: new Date(ROTATED_MS) }, 'dead'],
  ['a revoked family is dead for a repeat', 4, 0, { revokedAt: new Date(ROTATED_MS) }, 'dead'],
])('%s', (_, generation, laterMs, changes, verdict) => {
  expect(refreshVerdict({ ...family, ...changes }, generation, new Date(ROTATED_MS + laterMs))).toBe(verdict);
});

test('a refresh token may be repeated for 10 seconds', () => {
  expect(REFRESH_REPEAT_MS).toBe(10_000);
});
