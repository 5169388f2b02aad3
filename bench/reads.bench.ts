import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, BenchRun } from './bench.js';
import { HttpConnection, requestOf } from './support/http-connection.js';
import { interleave, WARM_UP, type Side } from './support/interleave.js';
import { Load, sampleOf } from './support/load.js';
import type { Server } from './support/process.js';
import { isNoisy, pairedRatio } from './support/stats.js';

/** Reads of signed-in users, beside the servers one would take instead. */
export const reads: Bench = { name: 'reads', asks: 'What does one read cost the server, beside Mercurius with graphql-jit, GraphQL Yoga, Apollo, and node:http with the same bytes?', run: measure };

const CONNECTIONS = 50;

async function measure(run: BenchRun): Promise<void> {
  const world = await run.part('stores', () => run.world());
  const api = await run.part('server', () => world.frontrow('api'));
  const load = await Load.start(world.folder);
  run.closing(() => load.close());
  const users = await world.build.buyers(64);
  const requests = users.map(({ accessToken }) => requestOf(JSON.stringify({ query: '{ currency }' }), { accessToken }));
  const connection = await HttpConnection.open(api.port);
  const body = (await connection.send(requests[0]!)).body.toString();
  connection.close();
  const answers = join(world.folder, 'answers.json');
  writeFileSync(answers, JSON.stringify({ graphql: body }));
  const bare = await world.side('bare-http.ts', { ANSWERS: answers });
  const sideOf = (server: Server): Side => ({
    name: server.name,
    measure: async (round) => {
      const result = await load.requests({ port: server.port, connections: CONNECTIONS, requests, pids: [server.pid], durationMs: round === WARM_UP ? 500 : 1000 });
      if (result.errors > 0) throw new Error(`${server.name}: ${result.firstErrors.join('\n')}`);
      return sampleOf(result);
    },
  });
  const rounds = await interleave(run, 'trivial', [sideOf(bare), sideOf(api)], run.sized({ quick: 2, full: 5 }));
  const ratio = pairedRatio(rounds, { of: api.name, to: bare.name, metric: 'cpuUs', better: 'lower' });
  run.gate({ name: 'trivial query by node:http', value: ratio.median, min: ratio.min, max: ratio.max, atLeast: 0.1, noisy: isNoisy(ratio) });
}
