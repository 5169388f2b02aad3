import { fastify } from 'fastify';
import mercurius from 'mercurius';
import { resolvers, typeDefs, viewerOf } from './support/reads-schema.js';

/** Mercurius with graphql-jit, as its documentation sets it up: compiled after the first execution. */

const app = fastify();
await app.register(mercurius.default ?? mercurius, { schema: typeDefs, resolvers: resolvers as never, jit: 1, context: (request: { raw: import('node:http').IncomingMessage }) => viewerOf(request.raw) });
console.log(await app.listen({ port: 0, host: '127.0.0.1' }));
