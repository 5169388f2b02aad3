import type { RequestListener } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { GraphQLSchema } from 'graphql';
import type { App } from '../app.js';
import { AcceptedTypes } from './accepted-types.js';
import type { ErrorEdge } from './errors.js';
import { serveGraphqlHttp } from './graphql-http.js';
import { KNOWN_DOCUMENTS } from './known-documents.js';
import { KnownOperations } from './known-operations.js';
import { Lane } from './lane.js';

export interface GraphqlEdge {
  known: KnownOperations;
  stop(): Promise<void>;
}

/** GraphQL over HTTP: known operations ahead, everything else through Apollo. */
export async function serveGraphql(http: FastifyInstance, app: App, schema: GraphQLSchema, edge: ErrorEdge, isDraining: () => boolean): Promise<GraphqlEdge> {
  const accepted = new AcceptedTypes();
  const known = new KnownOperations(schema, app.config.production, KNOWN_DOCUMENTS);
  const lane = new Lane(app, edge, accepted, known, isDraining);
  http.addHook('preParsing', async (request, _reply, payload) => lane.bodyOf(request.raw) ?? payload);
  const apollo = await serveGraphqlHttp(http, app, schema, edge, known, accepted);
  const [rest] = http.server.listeners('request') as RequestListener[];
  http.server.removeListener('request', rest!);
  http.server.on('request', lane.before(rest!));
  return { known, stop: () => apollo.stop() };
}
