import { readConfig } from '../../src/config.js';
import { DEMO_ACCOUNTS } from '../../src/database/seeds/demo.js';
import { greeting } from '../../src/launcher/greeting.js';

const AUTH_SECRET = 'a-secret-for-tests-only-0123456789';
const config = readConfig({ AUTH_SECRET });
const production = readConfig({ AUTH_SECRET, NODE_ENV: 'production' });
const url = 'http://127.0.0.1:4321';
const text = (lines: string[]): string => lines.join('\n');

test('the first line with a URL names the real one, in every role', () => {
  for (const urls of [{ url, operatorUrl: url }, { url: null, operatorUrl: url }]) {
    const lines = greeting(config, { ...urls, demoAccounts: [] });
    expect(/https?:\/\/\S+/.exec(lines.find((line) => line.includes('://'))!)![0]).toBe(url);
  }
});

test('a worker without a port of its own tells no URL', () => {
  expect(text(greeting(config, { url: null, operatorUrl: null, demoAccounts: [] }))).not.toContain('://');
});

test('demo accounts and the tour are told when the demo is there, and only then', () => {
  const withDemo = text(greeting(config, { url, operatorUrl: url, demoAccounts: [...DEMO_ACCOUNTS] }));
  expect(withDemo).toContain('demo@example.com / demo-password (buyer), admin@example.com / admin-password (admin)');
  expect(withDemo).toContain(`npm run tour -- ${url}`);
  const without = text(greeting(config, { url, operatorUrl: url, demoAccounts: [] }));
  expect(without).not.toMatch(/password|tour/);
  expect(without).toContain('/graphiql');
});

test('production does not speak of GraphiQL', () => {
  expect(text(greeting(production, { url, operatorUrl: url, demoAccounts: [] }))).not.toContain('graphiql');
});
