import { createApp, type App } from '../../src/app.js';
import { migrate } from '../../src/database/migrate.js';
import { createLogger } from '../../src/logging.js';
import { testConfig } from '../support/frontrow.js';
import { freshStores } from '../support/stores.js';

let stores: Awaited<ReturnType<typeof freshStores>>;
const apps: App[] = [];
beforeAll(async () => {
  stores = await freshStores();
  for (let count = 0; count < 3; count += 1) apps.push(await createApp(testConfig(), stores, createLogger('silent')));
});
afterAll(async () => {
  for (const app of apps) await app.close();
  await stores.drop();
});

test('O1: instances that start at once migrate once', async () => {
  const applied = await Promise.all(apps.map((app) => migrate(app.orm)));
  expect(applied.filter((names) => names.length > 0)).toHaveLength(1);
});
