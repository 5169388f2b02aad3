import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startOwnStores } from '../src/launcher/own-stores.js';

/** `npm test`: one MariaDB and one Redis of our own for the whole run, then jest with ESM switched on. Arguments go to jest. */
const folder = mkdtempSync(join(tmpdir(), 'frontrow-test-'));
const stores = await startOwnStores(folder, (line) => console.log(line));
try {
  const jest = spawn(process.execPath, ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js', ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, FRONTROW_TEST_STORES: JSON.stringify({ database: stores.database, redis: stores.redis }) },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => jest.kill(signal));
  const [code] = await once(jest, 'close');
  process.exitCode = code ?? 1;
} finally {
  await stores.stop();
  rmSync(folder, { recursive: true, force: true });
}
