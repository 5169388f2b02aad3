import { readSettings } from '../../src/config.js';
import { createLogger } from '../../src/logging.js';
import { tuneEngine } from '../../src/launcher/engine.js';
import { run } from '../../src/run.js';

/** Frontrow as it is built, but for one thing: whoever waits is told every change of the position at once, wherever in the line. */

tuneEngine();
const config = readSettings();
const stores = { database: { url: config.databaseUrl! }, redis: config.redisUrl! };
const { url } = await run(config, stores, createLogger(config.logLevel), { nearPositions: Infinity });
console.log(url);
