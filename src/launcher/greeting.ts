import type { Config } from '../config.js';

const DEMO_ACCOUNTS = 'demo@example.com / demo-password (buyer), admin@example.com / admin-password (admin)';
const QUERY = '{ concerts { nodes { title schedules { startsAt availableSeats } } } }';

/** What a started process says of itself. Its first line is the first on standard output that holds a URL: tools read the port from it. */
export function greeting(config: Config, url: string | null): string[] {
  if (url === null) return ['Frontrow is ready: working on jobs, serving no requests (ROLES=worker).'];
  const lines = [`Frontrow is ready at ${url}`, ''];
  if (!config.production) lines.push(`  GraphiQL       ${url}/graphiql  (example tabs for the whole sale)`);
  lines.push(`  API            ${url}/graphql  (websocket on the same address)`);
  if (config.seedDemo) lines.push(`  Demo accounts  ${DEMO_ACCOUNTS}`);
  lines.push(`  Try            curl -s ${url}/graphql -H 'content-type: application/json' -d '{"query":"${QUERY}"}'`);
  if (config.seedDemo) lines.push(`  Buy a seat     npm run tour -- ${url}`);
  return [...lines, '', 'Stop with Ctrl-C; the data stays.'];
}
