import type { Config } from '../config.js';
import type { DemoAccount } from '../database/seeds/demo.js';

/** What of a process that has started is worth telling. */
interface Started {
  /** Null without the role api. */
  url: string | null;
  operatorUrl: string | null;
  demoAccounts: DemoAccount[];
}

const QUERY = '{ concerts { nodes { title schedules { startsAt availableSeats } } } }';
const WHO = { USER: 'buyer', ADMIN: 'admin' };

/** What a started process says of itself. Its first line is the first on standard output that holds a URL: tools read the port from it. */
export function greeting(config: Config, { url, operatorUrl, demoAccounts }: Started): string[] {
  if (url === null) return [`Frontrow is ready: working on jobs, ${operatorUrl ? `health and metrics at ${operatorUrl}` : 'without health and metrics, for the port is taken'}`];
  const lines = [`Frontrow is ready at ${url}`, ''];
  if (!config.production) lines.push(`  GraphiQL       ${url}/graphiql  (example tabs for the whole sale)`);
  lines.push(`  API            ${url}/graphql  (websocket on the same address)`);
  const accounts = demoAccounts.map(({ email, password, role }) => `${email} / ${password} (${WHO[role]})`);
  if (accounts.length > 0) lines.push(`  Demo accounts  ${accounts.join(', ')}`);
  lines.push(`  Try            curl -s ${url}/graphql -H 'content-type: application/json' -d '{"query":"${QUERY}"}'`);
  if (accounts.length > 0) lines.push(`  Buy a seat     npm run tour -- ${url}`);
  return [...lines, '', 'Stop with Ctrl-C; the data stays.'];
}
