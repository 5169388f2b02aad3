import { readFileSync } from 'node:fs';
import { ENVIRONMENT_NAMES, EXAMPLE_SECRET, readConfig } from '../../src/config.js';
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
  const secret = { AUTH_SECRET: EXAMPLE_SECRET };
  expect(readConfig(Object.fromEntries(settings.map(({ name, value }) => [name, value])))).toEqual(readConfig(secret));
});

test('settings without a default in .env.example are those that have none', () => {
  expect(settings.filter(({ value }) => value === '').map(({ name }) => name)).toEqual(['DATABASE_URL', 'REDIS_URL', 'LOG_LEVEL', 'SEED_DEMO', 'CORS_ORIGINS']);
});

test('only the configuration, the launcher and the entry read the environment', () => {
  const readers = filesOf('src', '.ts').filter((file) => read(file).includes('process.env'));
  expect(readers.filter((file) => !['src/config.ts', 'src/index.ts'].includes(file) && !file.startsWith('src/launcher/'))).toEqual([]);
});
