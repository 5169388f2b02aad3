import { createHmac } from 'node:crypto';
import { jwtVerify, SignJWT, UnsecuredJWT, base64url } from 'jose';
import { v7 as uuid } from 'uuid';
import { TokenService } from '../../src/services/token.service.js';

const SECRET = 'a-secret-for-tests-only-0123456789';
const MINUTE_MS = 60_000;
const tokens = new TokenService(SECRET, 15 * MINUTE_MS, 60 * MINUTE_MS);
const strangers = new TokenService('another-secret-of-somebody-else-42', 15 * MINUTE_MS, 60 * MINUTE_MS);
const user = { id: uuid(), role: 'USER' as const };
const sessionId = uuid();
const place = { userId: user.id, concertId: uuid(), place: 7 };
const now = new Date();
const key = new TextEncoder().encode(SECRET);

const accessToken = async (by = tokens, issuedAt = now): Promise<string> => (await by.signAccess(user, sessionId, issuedAt)).token;

test('an access token tells its viewer, and the same arguments give the same token', async () => {
  const { token, expiresAt } = await tokens.signAccess(user, sessionId, now);
  expect(await tokens.verifyAccess(token)).toEqual({ userId: user.id, role: 'USER', sessionId, tokenExpiresAt: expiresAt });
  expect(await accessToken()).toBe(token);
});

describe('another implementation of JWT', () => {
  const theirs = (claims: Record<string, unknown>, header: Record<string, unknown> = {}): Promise<string> =>
    new SignJWT({ sub: user.id, role: 'USER', sid: sessionId, ...claims }).setProtectedHeader({ alg: 'HS256', ...header }).setExpirationTime('1h').setIssuedAt().sign(key);

  test('accepts what is signed here', async () => {
    const { token, expiresAt } = tokens.signAccess(user, sessionId, now);
    const { payload: claims, protectedHeader } = await jwtVerify(token, key, { algorithms: ['HS256'], audience: 'frontrow:access' });
    expect(protectedHeader).toEqual({ alg: 'HS256' });
    expect(claims).toMatchObject({ sub: user.id, role: 'USER', sid: sessionId, exp: expiresAt.getTime() / 1000 });
    await expect(jwtVerify(token, key, { audience: 'frontrow:queue' })).rejects.toThrow('aud');
  });

  test('signs what is accepted here, to the letter where the claims are the same', async () => {
    const viewer = { userId: user.id, role: 'USER', sessionId };
    expect(tokens.verifyAccess(await theirs({ aud: 'frontrow:access' }))).toMatchObject(viewer);
    expect(tokens.verifyAccess(await theirs({ aud: ['frontrow:access', 'another'] }, { typ: 'JWT' }))).toMatchObject(viewer);
    const issued = Math.floor(now.getTime() / 1000);
    const same = await new SignJWT({ sub: user.id, role: 'USER', sid: sessionId }).setProtectedHeader({ alg: 'HS256' }).setAudience('frontrow:access').setIssuedAt(issued).setExpirationTime(issued + 900).sign(key);
    expect(same).toBe(tokens.signAccess(user, sessionId, now).token);
  });

  test('signs what is refused here: another audience, too early, extensions that must be understood, claims of a wrong type', async () => {
    for (const aud of [undefined, '', 'frontrow:queue', ['frontrow:queue'], { 'frontrow:access': 1 }]) expect(tokens.verifyAccess(await theirs({ ...(aud === undefined ? {} : { aud }) } as never))).toBeNull();
    expect(tokens.verifyAccess(await theirs({ aud: 'frontrow:access', nbf: Math.floor(Date.now() / 1000) + 60 }))).toBeNull();
    expect(tokens.verifyAccess(signed({ alg: 'HS256', crit: ['x'], x: 1 }, { sub: user.id, aud: 'frontrow:access', exp: 4_102_444_800 }))).toBeNull();
    expect(tokens.verifyAccess(signed({ alg: 'none' }, { sub: user.id, aud: 'frontrow:access', exp: 4_102_444_800 }))).toBeNull();
    for (const claims of [{ exp: '4102444800' }, { exp: 4_102_444_800, nbf: 'x' }, { exp: 4_102_444_800, sub: 5 }, []]) {
      expect(tokens.verifyAccess(signed({ alg: 'HS256' }, Array.isArray(claims) ? claims : { sub: user.id, aud: 'frontrow:access', ...claims }))).toBeNull();
    }
    expect(tokens.verifyAccess(signed({ alg: 'HS256' }, { sub: user.id, aud: 'frontrow:access', exp: 4_102_444_800 }))).not.toBeNull();
  });

  /** With our key, whatever is in it. */
  function signed(header: unknown, claims: unknown): string {
    const text = [header, claims].map((part) => base64url.encode(JSON.stringify(part))).join('.');
    return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
  }
});

test('a queue token tells its place', async () => {
  expect(await tokens.verifyQueue(await tokens.signQueue(place, now))).toEqual(place);
});

const payload = (token: string): Record<string, unknown> => JSON.parse(new TextDecoder().decode(base64url.decode(token.split('.')[1]!)));
const withPayload = (token: string, changes: Record<string, unknown>): string => {
  const [header, , signature] = token.split('.');
  return [header, base64url.encode(JSON.stringify({ ...payload(token), ...changes })), signature].join('.');
};

test.each<[string, () => Promise<string>]>([
  ['signed with another secret', () => accessToken(strangers)],
  ['without a signature (alg none)', async () => new UnsecuredJWT(payload(await accessToken())).encode()],
  ['without a signature but a forged header', async () => (await accessToken()).replace(/[^.]*$/, '')],
  ['whose role was raised', async () => withPayload(await accessToken(), { role: 'ADMIN' })],
  ['whose user was changed', async () => withPayload(await accessToken(), { sub: uuid() })],
  ['whose end was moved', async () => withPayload(await accessToken(tokens, new Date(0)), { exp: 4_102_444_800 })],
  ['signed with another algorithm', async () => new SignJWT(payload(await accessToken())).setProtectedHeader({ alg: 'HS512' }).sign(key)],
  ['that expired', () => accessToken(tokens, new Date(now.getTime() - 16 * MINUTE_MS))],
  ['that is a queue token', async () => tokens.signQueue(place, now)],
  ['that is a refresh token', async () => tokens.signRefresh(sessionId, 1)],
  ['for nobody', async () => new SignJWT({ role: 'ADMIN' }).setProtectedHeader({ alg: 'HS256' }).setAudience('frontrow:access').setExpirationTime('1h').sign(key)],
  ['that never ends', async () => new SignJWT({ sub: user.id }).setProtectedHeader({ alg: 'HS256' }).setAudience('frontrow:access').sign(key)],
  ['that is empty', async () => ''],
  ['that is no token', async () => 'a.b.c'],
  ['of 10 kB', async () => `${await accessToken()}${'a'.repeat(10_240)}`],
])('an access token %s is refused', async (_, forge) => {
  expect(await tokens.verifyAccess(await forge())).toBeNull();
});

test.each<[string, () => Promise<string>]>([
  ['signed with another secret', async () => strangers.signQueue(place, now)],
  ['whose place was moved to the front', async () => withPayload(await tokens.signQueue(place, now), { place: 1 })],
  ['whose concert was changed', async () => withPayload(await tokens.signQueue(place, now), { concert: uuid() })],
  ['that expired', async () => tokens.signQueue(place, new Date(now.getTime() - 61 * MINUTE_MS))],
  ['that is an access token', () => accessToken()],
])('a queue token %s is refused', async (_, forge) => {
  expect(await tokens.verifyQueue(await forge())).toBeNull();
});

test('a refresh token tells its session and generation', () => {
  expect(tokens.verifyRefresh(tokens.signRefresh(sessionId, 12))).toEqual({ sessionId, generation: 12 });
});

const mac = (): string => tokens.signRefresh(sessionId, 1).split('.')[2]!;
test.each<[string, () => string]>([
  ['of another secret', () => strangers.signRefresh(sessionId, 1)],
  ['of the next generation with the mac of this one', () => `${sessionId}.2.${mac()}`],
  ['of another session with the mac of this one', () => `${uuid()}.1.${mac()}`],
  ['with a generation written otherwise', () => `${sessionId}.01.${mac()}`],
  ['with a mac cut short', () => tokens.signRefresh(sessionId, 1).slice(0, -1)],
  ['with something behind it', () => `${tokens.signRefresh(sessionId, 1)}=`],
  ['that is empty', () => ''],
  ['of 10 kB', () => 'a'.repeat(10_240)],
  ['with letters that are longer than their count', () => `${sessionId}.1.${'é'.repeat(43)}`],
])('a refresh token %s is refused', (_, forge) => {
  expect(tokens.verifyRefresh(forge())).toBeNull();
});
