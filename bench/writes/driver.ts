import { destination } from 'pino';
import { createApp } from '../../src/app.js';
import { readConfig } from '../../src/config.js';
import { watchPool } from '../../src/database/pool-watch.js';
import { tuneEngine } from '../../src/launcher/engine.js';
import { createLogger } from '../../src/logging.js';
import { burst, type Act, type Burst, type Outcome } from '../support/burst.js';
import { obey } from '../support/control.js';
import { FrontrowWriter } from './frontrow.js';
import { RawWriter } from './raw.js';

/** Both writers in one process of their own, on the core of the server under test: the same driver, the same loop, the same database. */

tuneEngine();
const config = readConfig(process.env);
const [database, redis] = [config.databaseUrl!, config.redisUrl!];
const app = await createApp(config, { database: { url: database }, redis }, createLogger('warn', destination(2)));
await watchPool(app.orm, app.databaseSigns, () => undefined);
const writers = { frontrow: new FrontrowWriter(app), raw: new RawWriter(database) };

await obey<Burst & { act: Act }, Outcome>(async (what) => burst(what.count, what.concurrency, await writers[what.writer].prepare(what.act, what)));
