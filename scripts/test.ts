import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDir } from '../src/launcher/debian-packages.js';
import { startOwnStores } from '../src/launcher/own-stores.js';
import { whenParentEnds } from '../src/launcher/stop-signals.js';
import { makeRunFolder } from './run-folder.js';

/** `npm test`: one MariaDB and one Redis of our own for the whole run, then jest with ESM switched on. Arguments go to jest. */
const folder = makeRunFolder(tmpdir(), 'frontrow-test-');
const temporary = join(folder, 'tmp');
mkdirSync(temporary);
const stores = await startOwnStores(join(folder, 'stores'), (line) => console.log(line));
try {
  const node = ['--experimental-vm-modules', '--no-warnings', '--import=./scripts/end-with-parent.mjs'];
  const jest = spawn(process.execPath, [...node, 'node_modules/jest/bin/jest.js', `--cacheDirectory=${join(cacheDir(), 'jest')}`, ...process.argv.slice(2)], {
    stdio: 'inherit',
    // What tests leave in the temporary folder goes with this run's.
    env: { ...process.env, TMPDIR: temporary, FRONTROW_TEST_STORES: JSON.stringify({ database: stores.database, redis: stores.redis }) },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => jest.kill(signal));
  whenParentEnds(() => jest.kill('SIGTERM'));
  const [code] = await once(jest, 'close');
  process.exitCode = code ?? 1;
} finally {
  await stores.stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}
