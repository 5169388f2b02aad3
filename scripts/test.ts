import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDir } from '../src/launcher/debian-packages.js';
import { startOwnStores } from '../src/launcher/own-stores.js';
import { whenParentEnds } from '../src/launcher/stop-signals.js';
import { makeRunFolder } from './run-folder.js';

/** `npm test`: a MariaDB of our own for the whole run and a Redis for each jest worker, then jest with ESM switched on. Arguments go to jest. */

// A Redis may be parted, but whoever listens to it hears the messages of all its parts: a test file would hear those of another.
const { default: { maxWorkers } } = (await import('../jest.config.mjs' as string)) as { default: { maxWorkers: number } };

const folder = makeRunFolder(tmpdir(), 'frontrow-test-');
const temporary = join(folder, 'tmp');
mkdirSync(temporary);
const say = (line: string): void => console.log(line);
const started = [await startOwnStores(join(folder, 'stores'), say)];
try {
  while (started.length < maxWorkers) started.push(await startOwnStores(join(folder, `redis-${started.length}`), say, { database: false, redis: true }));
  const stores = { database: started[0]!.database, redis: started.map(({ redis }) => redis) };
  const node = ['--experimental-vm-modules', '--no-warnings', '--import=./scripts/end-with-parent.mjs'];
  const jest = spawn(process.execPath, [...node, 'node_modules/jest/bin/jest.js', `--cacheDirectory=${join(cacheDir(), 'jest')}`, ...process.argv.slice(2)], {
    stdio: 'inherit',
    // What tests leave in the temporary folder goes with this run's.
    env: { ...process.env, TMPDIR: temporary, FRONTROW_TEST_STORES: JSON.stringify(stores) },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => jest.kill(signal));
  whenParentEnds(() => jest.kill('SIGTERM'));
  const [code] = await once(jest, 'close');
  process.exitCode = code ?? 1;
} finally {
  await Promise.all(started.map((one) => one.stop()));
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}
