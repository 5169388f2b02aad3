import { buildSchema } from 'graphql';
import { createLogger } from '../../src/logging.js';
import { Metrics } from '../../src/metrics.js';
import { filesOf, read } from '../support/sources.js';

/** What an operator is told to look for at night is there. */
const runbook = read('docs/runbook.md');
const inCode = [...runbook.matchAll(/`([^`\n]+)`/g)].map(([, text]) => text!);

test('every metric that the runbook names is shown by /metrics', async () => {
  const metrics = new Metrics(createLogger('silent'));
  metrics.watchQueues(async () => ({ waiting: 0, active: 0 }));
  metrics.watchOutbox(async () => ({ count: 0, oldestMs: 0 }));
  const shown = await metrics.registry.metrics();
  const named = [...new Set(inCode.flatMap((text) => /^((?:frontrow|nodejs)_\w+)/.exec(text)?.[1] ?? []))];

  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((name) => !shown.includes(`# HELP ${name} `))).toEqual([]);
});

test('every operation that the runbook names is in the schema', () => {
  const schema = buildSchema(read('src/schema/schema.graphql'));
  const fields = { ...schema.getQueryType()!.getFields(), ...schema.getMutationType()!.getFields() };
  const named = ['cancelSchedule', 'scheduleCancellation', 'setQueuePolicy', 'deadDeliveries', 'redeliver', 'redeliverAll', 'rotateWebhookSecret', 'updateWebhook', 'queue'];
  const called = [...new Set(inCode.flatMap((text) => /^([a-z]\w+)\((?:id|concertId|scheduleId|enabled: \w+)\)$/.exec(text)?.[1] ?? []))];

  expect(called.length).toBeGreaterThan(2);
  expect([...named, ...called].filter((name) => !(name in fields))).toEqual([]);
});

test('every line of the log that the runbook names is logged', () => {
  const sources = filesOf('src', '.ts').map(read).join('\n');
  const named = ['not ready', 'redis connection', 'queue rebuilt', 'tick of a queue failed', 'worker connection', 'job failed'];

  expect(named.filter((line) => !runbook.includes(`\`${line}\``) || !sources.includes(`'${line}'`))).toEqual([]);
});
