import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ENVIRONMENT_NAMES, EXAMPLE_SECRET, readConfig } from '../../src/config.js';
import { RATE_WINDOWS_S } from '../../src/redis/rate-limiter.js';
import { filesOf, read } from '../support/sources.js';

interface Line {
  name: string;
  value: string;
  explanation: string;
}

const lines = readFileSync('.env.example', 'utf8').split('\n');
const composeFrom = lines.findIndex((line) => line.includes('only for docker-compose.yml'));
const settingsOf = (part: string[]): Line[] =>
  part.flatMap((line, index) => {
    const [, name, value] = /^([A-Z_0-9]+)=(.*)$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, value: value!, explanation: part[index - 1] ?? '' }];
  });
const settings = settingsOf(lines.slice(0, composeFrom));

test('.env.example lists every setting once and nothing else', () => {
  expect(settings.map(({ name }) => name).sort()).toEqual([...ENVIRONMENT_NAMES].sort());
});

test.each(settings)('$name is explained in one line', ({ explanation }) => {
  expect(explanation).toMatch(/^# \S.{5,}$/);
});

test('.env.example holds the defaults: copied as it is, it changes nothing', () => {
  const copied = Object.fromEntries(settingsOf(lines).map(({ name, value }) => [name, value]));
  const DATA_DIR = mkdtempSync(join(tmpdir(), 'frontrow-env-'));
  try {
    // The secret too: the one generated for this machine stays.
    expect(readConfig({ ...copied, DATA_DIR })).toEqual(readConfig({ DATA_DIR }));
  } finally {
    rmSync(DATA_DIR, { recursive: true });
  }
});

test('the example secret stands in .env.example only as one that production refuses', () => {
  expect(lines.filter((line) => line.includes(EXAMPLE_SECRET))).toEqual([`# Looks like this, but production refuses this one: AUTH_SECRET=${EXAMPLE_SECRET}`]);
});

test('the limits of requests are told with the windows that they count in', () => {
  const told = Object.fromEntries(settings.filter(({ name }) => name.startsWith('RATE_LIMIT_')).map(({ name, explanation }) => [name, explanation]));
  expect(RATE_WINDOWS_S).toEqual({ user: 10, address: 10, signIn: 60, signUp: 3600 });
  expect(told).toEqual({
    RATE_LIMIT_USER_MAX: expect.stringContaining('in 10 s'),
    RATE_LIMIT_ADDRESS_MAX: expect.stringContaining('in 10 s'),
    RATE_LIMIT_SIGN_IN_MAX: expect.stringContaining('in a minute'),
    RATE_LIMIT_SIGN_UP_MAX: expect.stringContaining('in an hour'),
  });
});

test('settings without a default in .env.example are those that have none', () => {
  expect(settings.filter(({ value }) => value === '').map(({ name }) => name)).toEqual(['DATABASE_URL', 'REDIS_URL', 'AUTH_SECRET', 'LOG_LEVEL', 'SEED_DEMO', 'CORS_ORIGINS', 'WEBHOOK_PRIVATE_ADDRESSES']);
});

test('only the configuration reads settings; the launcher and the entry ask the environment for what the machine and npm say', () => {
  const readers = filesOf('src', '.ts').filter((file) => file !== 'src/config.ts' && read(file).includes('process.env'));
  expect(readers.filter((file) => file !== 'src/index.ts' && !file.startsWith('src/launcher/'))).toEqual([]);
  const asked = readers.flatMap((file) => [...read(file).matchAll(/process\.env(?:\['(\w+)'\]|\.(\w+))/g)].map(([, quoted, plain]) => quoted ?? plain!));
  expect(asked).toContain('PATH');
  expect(asked.filter((name) => ENVIRONMENT_NAMES.includes(name))).toEqual([]);
});
