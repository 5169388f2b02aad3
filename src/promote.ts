import { readSettings, type Config } from './config.js';
import { User } from './database/entities/user.entity.js';
import { connectDatabase } from './database/orm.config.js';
import { RequestError } from './domain/errors.js';
import { emailOf } from './domain/input.js';
import { explain } from './launcher/explain.js';
import { LauncherError } from './launcher/launcher-error.js';
import { runningDatabase } from './launcher/own-stores.js';

/** `npm run promote -- someone@example.com` makes an account an admin: how the first one comes to be. */
let config: Config | undefined;

async function main(given: string | undefined): Promise<void> {
  if (given === undefined) throw new LauncherError('Say whom: npm run promote -- someone@example.com');
  const email = emailOf('email', given);
  config = readSettings();
  const orm = await connectDatabase(config.databaseUrl ? { url: config.databaseUrl } : runningDatabase(config.dataDir), { poolMax: 1 });
  try {
    const em = orm.em.fork();
    const user = await em.findOne(User, { email });
    if (!user) throw new LauncherError(`There is no account of ${email}. Sign up with it first.`);
    user.role = 'ADMIN';
    await em.flush();
    console.log(`${email} is an admin. Access tokens say so from the next one on: sign in again, or refresh the session.`);
  } finally {
    await orm.close();
  }
}

main(process.argv[2]).catch((error: unknown) => {
  console.error(error instanceof RequestError ? error.message : explain(error, config));
  process.exitCode = 1;
});
