import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';

/** The only reader of the settings. Durations are milliseconds, amounts are in the currency's minor unit. */

export const EXAMPLE_SECRET = 'example-secret-change-me-0123456789abcdef';
export const AUTH_SECRET_LENGTH_MIN = 32;
const ROLE_NAMES = ['api', 'worker'] as const;
export type ProcessRole = (typeof ROLE_NAMES)[number];

const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a whole number from ${min} to ${max}`);
const switchOf = z.enum(['on', 'off'], 'must be on or off').transform((value) => value === 'on');
const listOf = z.string().transform((value) => value.split(',').map((item) => item.trim()).filter(Boolean));
const urlOf = (protocols: string[]) =>
  z.string().refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol), `must be a URL that starts with ${protocols[0]}//`);
const databaseUrl = urlOf(['mysql:', 'mariadb:']).refine(
  (value) => !URL.canParse(value) || new URL(value).pathname.length > 1,
  'must name a database: mysql://user:password@host:port/name',
);

const DAY_MS = 86_400_000;
const COUNT_MAX = 1_000_000;

const environment = z.object({
  PORT: wholeNumber(0, 65_535).default(4000),
  HOST: z.string().default('0.0.0.0'),
  DATABASE_URL: databaseUrl.optional(),
  REDIS_URL: urlOf(['redis:', 'rediss:']).optional(),
  DATA_DIR: z.string().default('.data'),
  ROLES: listOf
    .pipe(z.array(z.enum(ROLE_NAMES, `must be a list of ${ROLE_NAMES.join(', ')}`)).min(1, 'must name at least one role'))
    .default([...ROLE_NAMES]),
  NODE_ENV: z.enum(['development', 'test', 'production'], 'must be development, test or production').default('development'),
  AUTH_SECRET: z.string().min(AUTH_SECRET_LENGTH_MIN, `must have at least ${AUTH_SECRET_LENGTH_MIN} characters`).optional(),
  LOG_LEVEL: z.enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug'], 'must be silent, fatal, error, warn, info or debug').optional(),
  HOLD_TTL_MS: wholeNumber(1, DAY_MS).default(300_000),
  QUEUE_ADMIT_COUNT: wholeNumber(1, COUNT_MAX).default(200),
  QUEUE_ADMIT_INTERVAL_MS: wholeNumber(1, DAY_MS).default(10_000),
  QUEUE_ACTIVE_MAX: wholeNumber(0, COUNT_MAX).default(2000),
  QUEUE_PASS_TTL_MS: wholeNumber(1, DAY_MS).default(600_000),
  QUEUE_ABSENCE_GRACE_MS: wholeNumber(1, DAY_MS).default(300_000),
  QUEUE_PASS_ATTEMPTS_MAX: wholeNumber(1, COUNT_MAX).default(30),
  QUEUE_REBUILD_GRACE_MS: wholeNumber(0, DAY_MS).default(30_000),
  QUEUE_TICK_MS: wholeNumber(10, 10_000).default(250),
  SWEEP_INTERVAL_MS: wholeNumber(10, 60_000).default(5000),
  ACCESS_TOKEN_TTL_MS: wholeNumber(1000, DAY_MS).default(900_000),
  REFRESH_TOKEN_TTL_MS: wholeNumber(1000, 366 * DAY_MS).default(604_800_000),
  QUEUE_TOKEN_TTL_MS: wholeNumber(1000, 366 * DAY_MS).default(DAY_MS),
  CURRENCY: z.string().refine((code) => Intl.supportedValuesOf('currency').includes(code), 'must be an ISO 4217 code such as KRW').default('KRW'),
  CHARGE_MAX: wholeNumber(1, Number.MAX_SAFE_INTEGER).default(10_000_000),
  BALANCE_MAX: wholeNumber(1, Number.MAX_SAFE_INTEGER).default(1_000_000_000),
  SEATS_PER_USER_MAX: wholeNumber(1, 100).default(4),
  RATE_LIMIT: switchOf.default(true),
  RATE_LIMIT_USER_MAX: wholeNumber(1, COUNT_MAX).default(200),
  RATE_LIMIT_ADDRESS_MAX: wholeNumber(1, COUNT_MAX).default(2000),
  RATE_LIMIT_SIGN_IN_MAX: wholeNumber(1, COUNT_MAX).default(10),
  RATE_LIMIT_SIGN_UP_MAX: wholeNumber(1, COUNT_MAX).default(60),
  SEED_DEMO: switchOf.optional(),
  CORS_ORIGINS: listOf.default([]),
  TRUST_PROXY_HOPS: wholeNumber(0, 10).default(0),
  DATABASE_POOL_MAX: wholeNumber(1, 1000).default(10),
  WEBHOOK_PRIVATE_ADDRESSES: switchOf.optional(),
  SHUTDOWN_TIMEOUT_MS: wholeNumber(100, 600_000).default(10_000),
});

export const ENVIRONMENT_NAMES = Object.keys(environment.shape);

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly mistakes: string[]) {
    super(`The configuration has ${mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`}:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`);
  }
}

export type Config = ReturnType<typeof readConfig>;

/** The settings of this process: the environment, and what a .env file in the working folder adds to it. */
export function readSettings(): Config {
  if (existsSync('.env')) process.loadEnvFile('.env');
  return readConfig(process.env);
}

/** Reads and checks every setting at once. An empty value counts as not set. */
export function readConfig(env: Record<string, string | undefined>) {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = environment.safeParse(set);
  const mistakes = parsed.success ? [] : parsed.error.issues.map((issue) => `${String(issue.path[0])} ${issue.message}`);
  const production = set['NODE_ENV'] === 'production';
  const ownDatabase = set['DATABASE_URL'] === undefined;
  const secret = set['AUTH_SECRET'];
  if (secret === undefined && !ownDatabase) mistakes.push('AUTH_SECRET is required with DATABASE_URL: every process must sign with the same one');
  if (production && secret === EXAMPLE_SECRET) mistakes.push('AUTH_SECRET is the example of .env.example: make your own for production');
  if (!parsed.success || mistakes.length > 0) throw new ConfigError(mistakes);

  const values = parsed.data;
  return Object.freeze({
    port: values.PORT,
    host: values.HOST,
    databaseUrl: values.DATABASE_URL,
    redisUrl: values.REDIS_URL,
    dataDir: values.DATA_DIR,
    roles: values.ROLES as ProcessRole[],
    production,
    authSecret: values.AUTH_SECRET ?? ownSecret(values.DATA_DIR),
    logLevel: values.LOG_LEVEL ?? (production ? 'info' : 'warn'),
    holdTtlMs: values.HOLD_TTL_MS,
    queue: Object.freeze({
      admitCount: values.QUEUE_ADMIT_COUNT,
      admitIntervalMs: values.QUEUE_ADMIT_INTERVAL_MS,
      activeMax: values.QUEUE_ACTIVE_MAX,
      passTtlMs: values.QUEUE_PASS_TTL_MS,
      absenceGraceMs: values.QUEUE_ABSENCE_GRACE_MS,
      passAttemptsMax: values.QUEUE_PASS_ATTEMPTS_MAX,
      rebuildGraceMs: values.QUEUE_REBUILD_GRACE_MS,
      tickMs: values.QUEUE_TICK_MS,
      tokenTtlMs: values.QUEUE_TOKEN_TTL_MS,
    }),
    sweepIntervalMs: values.SWEEP_INTERVAL_MS,
    accessTokenTtlMs: values.ACCESS_TOKEN_TTL_MS,
    refreshTokenTtlMs: values.REFRESH_TOKEN_TTL_MS,
    currency: values.CURRENCY,
    chargeMax: values.CHARGE_MAX,
    balanceMax: values.BALANCE_MAX,
    seatsPerUserMax: values.SEATS_PER_USER_MAX,
    rateLimit: Object.freeze({
      enabled: values.RATE_LIMIT,
      userMax: values.RATE_LIMIT_USER_MAX,
      addressMax: values.RATE_LIMIT_ADDRESS_MAX,
      signInMax: values.RATE_LIMIT_SIGN_IN_MAX,
      signUpMax: values.RATE_LIMIT_SIGN_UP_MAX,
    }),
    seedDemo: !production && (values.SEED_DEMO ?? values.NODE_ENV === 'development'),
    corsOrigins: values.CORS_ORIGINS,
    trustProxyHops: values.TRUST_PROXY_HOPS,
    databasePoolMax: values.DATABASE_POOL_MAX,
    webhookPrivateAddresses: values.WEBHOOK_PRIVATE_ADDRESSES ?? !production,
    shutdownTimeoutMs: values.SHUTDOWN_TIMEOUT_MS,
  });
}

/** With the own database the secret lives beside its data, so that tokens outlive a restart. Whole or not there: two processes may start at once, or be killed. */
function ownSecret(dataDir: string): string {
  const file = join(dataDir, 'auth-secret');
  try {
    if (!existsSync(file)) {
      mkdirSync(dataDir, { recursive: true, mode: 0o700 });
      const unfinished = `${file}.${process.pid}`;
      writeFileSync(unfinished, randomBytes(48).toString('base64url'), { mode: 0o600 });
      try {
        linkSync(unfinished, file);
      } catch (error) {
        if (!existsSync(file)) throw error;
      } finally {
        rmSync(unfinished);
      }
    }
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError([`DATA_DIR ${dataDir} cannot be used: ${error instanceof Error ? error.message : String(error)}`]);
  }
}
