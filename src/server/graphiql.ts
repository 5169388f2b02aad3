import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** The build's folder, which is in the same place seen from `src/server` and from `dist/server`. */
const FOLDER = fileURLToPath(new URL('../../dist/graphiql/', import.meta.url));

/** GraphiQL from files of our own at `/graphiql`, and `/` leads there; not called in production. Without a build there is nothing to serve. */
export async function serveGraphiql(http: FastifyInstance): Promise<void> {
  if (!existsSync(FOLDER)) return;
  await http.register(fastifyStatic, { root: FOLDER, prefix: '/graphiql/', redirect: true, etag: true, maxAge: 0 });
  http.get('/graphiql', (_request, reply) => reply.sendFile('index.html'));
  http.get('/', (_request, reply) => reply.redirect('/graphiql'));
}
