import { run } from '../../dist/run.js';
import { readSettings } from '../../dist/config.js';
import { createLogger } from '../../dist/logging.js';

/** Frontrow as it is built, but for one thing: whoever waits is told every change of the position at once, wherever in the line. */

const config = readSettings();
const stores = { database: { url: config.databaseUrl }, redis: config.redisUrl };
const { url } = await run(config, stores, createLogger(config.logLevel), { nearPositions: Infinity });
console.log(url);
