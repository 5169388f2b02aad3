import { parseOptions } from '@node-rs/argon2';
import { HASH_COST, HASH_RETRY_AFTER_S, HASH_WAITING_MAX, HASHING_MAX, NOBODYS_HASH, PasswordService } from '../../src/services/password.service.js';

test('two passwords are hashed at once and 50 wait', () => {
  expect([HASHING_MAX, HASH_WAITING_MAX]).toEqual([2, 50]);
});

test("hashes cost what OWASP asks for, and nobody's hash costs the same", () => {
  expect(HASH_COST).toMatchObject({ memoryCost: 19_456, timeCost: 2, parallelism: 1 });
  expect(NOBODYS_HASH).toMatch(/^\$argon2id\$/);
  expect(parseOptions(NOBODYS_HASH)).toMatchObject({ ...HASH_COST });
});

test('the same password never has the same hash, and only the same password fits', async () => {
  const passwords = new PasswordService();
  const [one, other] = await Promise.all([passwords.hash('correct horse'), passwords.hash('correct horse')]);
  expect(one).not.toBe(other);
  expect(await passwords.verify(one, 'correct horse')).toBe(true);
  expect(await passwords.verify(one, 'correct horse ')).toBe(false);
  expect(await passwords.verify(null, 'correct horse')).toBe(false);
});

test('of sixty at once 52 are served and eight are RATE_LIMITED at once; then there is room again', async () => {
  const passwords = new PasswordService();
  const refusals: { code: string; extensions: { retryAfterSeconds: number } }[] = [];
  const served = await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      (index % 2 ? passwords.hash('correct horse') : passwords.verify(null, 'correct horse')).then(
        () => 1,
        (refusal) => (refusals.push(refusal), 0),
      ),
    ),
  );
  expect(served.reduce<number>((sum, one) => sum + one, 0)).toBe(HASHING_MAX + HASH_WAITING_MAX);
  expect(refusals).toHaveLength(8);
  for (const refusal of refusals) expect(refusal).toMatchObject({ code: 'RATE_LIMITED', extensions: { retryAfterSeconds: HASH_RETRY_AFTER_S } });
  expect(await passwords.verify(await passwords.hash('a'), 'a')).toBe(true);
});
