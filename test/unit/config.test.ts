import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, ENVIRONMENT_NAMES, EXAMPLE_SECRET, readConfig, type Config } from '../../src/config.js';

const SECRET = 'a-secret-for-tests-only-0123456789';
const folder = mkdtempSync(join(tmpdir(), 'frontrow-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const read = (env: Record<string, string> = {}): Config => readConfig({ AUTH_SECRET: SECRET, ...env });

function mistakesOf(env: Record<string, string>): string[] {
  try {
    readConfig({ DATA_DIR: folder, ...env });
  } catch (error) {
    return (error as ConfigError).mistakes;
  }
  return [];
}

/** Where each setting with a plain default ends up. */
const VALUE_OF: Record<string, (config: Config) => unknown> = {
  PORT: (config) => config.port,
  DATA_DIR: (config) => config.dataDir,
  ROLES: (config) => config.roles.join(','),
  HOLD_TTL_MS: (config) => config.holdTtlMs,
  QUEUE_ADMIT_COUNT: (config) => config.queue.admitCount,
  QUEUE_ADMIT_INTERVAL_MS: (config) => config.queue.admitIntervalMs,
  QUEUE_ACTIVE_MAX: (config) => config.queue.activeMax,
  QUEUE_PASS_TTL_MS: (config) => config.queue.passTtlMs,
  QUEUE_ABSENCE_GRACE_MS: (config) => config.queue.absenceGraceMs,
  QUEUE_PASS_ATTEMPTS_MAX: (config) => config.queue.passAttemptsMax,
  QUEUE_REBUILD_GRACE_MS: (config) => config.queue.rebuildGraceMs,
  ACCESS_TOKEN_TTL_MS: (config) => config.accessTokenTtlMs,
  REFRESH_TOKEN_TTL_MS: (config) => config.refreshTokenTtlMs,
  CURRENCY: (config) => config.currency,
  CHARGE_MAX: (config) => config.chargeMax,
  BALANCE_MAX: (config) => config.balanceMax,
  SEATS_PER_USER_MAX: (config) => config.seatsPerUserMax,
  RATE_LIMIT: (config) => (config.rateLimit.enabled ? 'on' : 'off'),
};

/** The rows of the table that operators rely on: name and default. */
const contract = readFileSync(new URL('../architecture/contract/configuration.md', import.meta.url), 'utf8')
  .split('\n')
  .flatMap((line) => {
    const [, name, value] = /^\| `([A-Z_]+)` \| ([^|]+) \|/.exec(line) ?? [];
    return name && value ? [{ name, value: value.replaceAll('`', '').trim() }] : [];
  });
const plain = contract.filter(({ name }) => name in VALUE_OF);

test('the contract is read whole', () => {
  expect(contract).toHaveLength(23);
  expect(contract.map(({ name }) => name).filter((name) => !(name in VALUE_OF))).toEqual(['DATABASE_URL', 'REDIS_URL', 'NODE_ENV', 'AUTH_SECRET', 'SEED_DEMO']);
});

test('every setting of the contract is read', () => {
  expect(ENVIRONMENT_NAMES).toEqual(expect.arrayContaining(contract.map(({ name }) => name)));
});

test.each(plain)('$name is $value unless it is set', ({ name, value }) => {
  expect(String(VALUE_OF[name]!(read()))).toBe(value);
});

test('an empty value counts as not set', () => {
  expect(read({ PORT: '', DATABASE_URL: '' })).toMatchObject({ port: 4000, databaseUrl: undefined });
});

test('no store is named unless its URL is set', () => {
  expect(read()).toMatchObject({ databaseUrl: undefined, redisUrl: undefined });
  expect(read({ DATABASE_URL: 'mysql://u:p@db:3306/frontrow', REDIS_URL: 'redis://r:6379' })).toMatchObject({
    databaseUrl: 'mysql://u:p@db:3306/frontrow',
    redisUrl: 'redis://r:6379',
  });
});

test('demo data is on in development, off elsewhere, and never in production', () => {
  expect(read().seedDemo).toBe(true);
  expect(read({ SEED_DEMO: 'off' }).seedDemo).toBe(false);
  expect(read({ NODE_ENV: 'test' }).seedDemo).toBe(false);
  expect(read({ NODE_ENV: 'test', SEED_DEMO: 'on' }).seedDemo).toBe(true);
  expect(read({ NODE_ENV: 'production', SEED_DEMO: 'on' }).seedDemo).toBe(false);
});

test('the log begins at info in production and at warn elsewhere, unless its level is set', () => {
  expect(read().logLevel).toBe('warn');
  expect(read({ NODE_ENV: 'production' }).logLevel).toBe('info');
  expect(read({ LOG_LEVEL: 'debug' }).logLevel).toBe('debug');
});

test('every mistake is told at once, each with the name of its setting', () => {
  const wrong: Record<string, string> = {
    PORT: '70000',
    DATABASE_URL: 'postgres://u@h/n',
    REDIS_URL: 'not a url',
    ROLES: 'api,chef',
    NODE_ENV: 'staging',
    AUTH_SECRET: 'short',
    LOG_LEVEL: 'loud',
    CURRENCY: 'WON',
    RATE_LIMIT: 'yes',
    SEED_DEMO: 'true',
    HOLD_TTL_MS: '-1',
    QUEUE_ADMIT_COUNT: '1.5',
    QUEUE_ACTIVE_MAX: '1e3',
    CHARGE_MAX: '9007199254740992',
    BALANCE_MAX: 'NaN',
    SEATS_PER_USER_MAX: '0',
  };
  const mistakes = mistakesOf(wrong);
  for (const name of Object.keys(wrong)) expect(mistakes.filter((mistake) => mistake.startsWith(`${name} `))).toHaveLength(1);
  expect(mistakes).toHaveLength(Object.keys(wrong).length);
  expect(new ConfigError(mistakes).message).toContain('16 mistakes');
});

test('a database URL must name the database', () => {
  expect(mistakesOf({ AUTH_SECRET: SECRET, DATABASE_URL: 'mysql://u:p@db:3306' })).toEqual([expect.stringContaining('must name a database')]);
});

test('with a database of others the secret must be given', () => {
  expect(mistakesOf({ DATABASE_URL: 'mysql://u:p@db/n' })).toEqual([expect.stringContaining('AUTH_SECRET is required')]);
});

test('production refuses the example secret, development takes it', () => {
  expect(mistakesOf({ NODE_ENV: 'production', AUTH_SECRET: EXAMPLE_SECRET })).toEqual([expect.stringContaining('AUTH_SECRET is the example')]);
  expect(readConfig({ AUTH_SECRET: EXAMPLE_SECRET }).authSecret).toBe(EXAMPLE_SECRET);
});

test('with the own database the secret is made once, for this user alone, and stays', () => {
  const dataDir = join(folder, 'own');
  const first = readConfig({ DATA_DIR: dataDir }).authSecret;
  expect(first.length).toBeGreaterThanOrEqual(32);
  expect(readConfig({ DATA_DIR: dataDir }).authSecret).toBe(first);
  expect(statSync(join(dataDir, 'auth-secret')).mode & 0o777).toBe(0o600);
});

test('a data folder that cannot be used is a mistake like others', () => {
  expect(mistakesOf({ DATA_DIR: '/dev/null/data' })).toEqual([expect.stringContaining('/dev/null/data cannot be used')]);
});

test('the configuration cannot be changed', () => {
  expect(Object.isFrozen(read())).toBe(true);
  expect(Object.isFrozen(read().queue)).toBe(true);
});
