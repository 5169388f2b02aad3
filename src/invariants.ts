import { parseArgs } from 'node:util';
import { readSettings, type Config } from './config.js';
import { checkInvariants, reportOf } from './database/check-invariants.js';
import { checkPasses } from './database/check-passes.js';
import { connectDatabase } from './database/orm.config.js';
import { explain } from './launcher/explain.js';
import { LauncherError } from './launcher/launcher-error.js';
import { runningDatabase, runningRedis } from './launcher/own-stores.js';
import { connectOnce, queuesNow, type QueueNow } from './redis/check-queues.js';

/** `npm run invariants` tells whether what must be true of the database is. It ends with 0 when all is, 1 when something is not, 2 when it could not check. */
let config: Config | undefined;

async function main(): Promise<void> {
  const { settled, redis } = optionsOf();
  config = readSettings();
  const queues = redis ? await queuesOf(config) : null;
  const orm = await connectDatabase(config.databaseUrl ? { url: config.databaseUrl } : runningDatabase(config.dataDir), { poolMax: 1 });
  try {
    const findings = [...(await checkInvariants(orm, { ...config, settled })), ...(queues ? await checkPasses(orm, queues) : [])];
    for (const line of reportOf(findings)) console.log(line);
    const violated = findings.filter(({ count }) => count > 0).length;
    console.log(violated === 0 ? `All ${findings.length} invariants are true.` : `${violated} of ${findings.length} invariants are violated.`);
    process.exitCode = violated === 0 ? 0 : 1;
  } finally {
    await orm.close();
  }
}

async function queuesOf({ redisUrl, dataDir }: Config): Promise<QueueNow[]> {
  const redis = await connectOnce(redisUrl ?? runningRedis(dataDir));
  try {
    return await queuesNow(redis);
  } finally {
    redis.disconnect();
  }
}

function optionsOf(): { settled: boolean; redis: boolean } {
  try {
    return parseArgs({ options: { settled: { type: 'boolean', default: false }, redis: { type: 'boolean', default: false } } }).values;
  } catch {
    throw new LauncherError('The only options are --settled and --redis: npm run invariants -- --settled --redis');
  }
}

main().catch((error: unknown) => {
  console.error(explain(error, config));
  process.exitCode = 2;
});
