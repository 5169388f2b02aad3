import { randomUUID } from 'node:crypto';
import { ApolloServer, HeaderMap } from '@apollo/server';
import { ApolloServerPluginLandingPageDisabled } from '@apollo/server/plugin/disabled';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import type { GraphQLFormattedError, GraphQLSchema } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import type { App } from './app.js';
import type { Context } from './context.js';
import { RequestError } from './domain/errors.js';

export interface Server {
  url: string;
  close(): Promise<void>;
}

const BODY_LIMIT_BYTES = 64 * 1024;

export async function startServer(app: App, schema: GraphQLSchema): Promise<Server> {
  const http = fastify({ bodyLimit: BODY_LIMIT_BYTES });
  const apollo = new ApolloServer<Context>({
    schema,
    persistedQueries: false,
    introspection: !app.config.production,
    plugins: [ApolloServerPluginLandingPageDisabled()],
    formatError: (formatted, error) => formatError(formatted, error),
  });
  await apollo.start();
  routeGraphql(http, apollo, app);
  http.get('/health/live', async () => ({ status: 'ok' }));
  http.get('/metrics', async (_request, reply) => reply.type(app.metrics.registry.contentType).send(await app.metrics.registry.metrics()));
  const sockets = new WebSocketServer({ server: http.server, path: '/graphql', maxPayload: BODY_LIMIT_BYTES });
  const graphqlWs = useServer<Record<string, unknown>>(
    {
      schema,
      context: async (ctx) => contextOf(app, randomUUID(), String(ctx.connectionParams?.['authorization'] ?? ''), ctx.connectionParams?.['queueToken'], ''),
    },
    sockets,
  );
  const address = await http.listen({ port: app.config.port, host: app.config.host });
  return {
    url: address.replace('0.0.0.0', '127.0.0.1'),
    close: async () => {
      await graphqlWs.dispose();
      await http.close();
      await apollo.stop();
    },
  };
}

function routeGraphql(http: FastifyInstance, apollo: ApolloServer<Context>, app: App): void {
  http.route({
    method: ['GET', 'POST', 'OPTIONS'],
    url: '/graphql',
    handler: async (request, reply) => {
      const answer = await apollo.executeHTTPGraphQLRequest({
        httpGraphQLRequest: {
          method: request.method,
          headers: new HeaderMap(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
          search: request.url.includes('?') ? request.url.slice(request.url.indexOf('?')) : '',
          body: request.body,
        },
        context: () => httpContext(app, request),
      });
      for (const [name, value] of answer.headers) void reply.header(name, value);
      void reply.code(answer.status ?? 200);
      return answer.body.kind === 'complete' ? answer.body.string : '';
    },
  });
}

const httpContext = (app: App, request: FastifyRequest): Promise<Context> =>
  contextOf(app, request.id, request.headers.authorization ?? '', request.headers['x-queue-token'], request.ip);

async function contextOf(app: App, requestId: string, authorization: string, queueToken: unknown, address: string): Promise<Context> {
  const token = /^Bearer (.+)$/i.exec(authorization)?.[1];
  return {
    requestId,
    viewer: token ? await app.services.sessions.authenticate(token) : null,
    queueToken: typeof queueToken === 'string' && queueToken !== '' ? queueToken : null,
    address,
    services: app.services,
    loaders: app.createLoaders(),
  };
}

function formatError(formatted: GraphQLFormattedError, error: unknown): GraphQLFormattedError {
  const cause = error instanceof Error && 'originalError' in error ? error.originalError : error;
  if (cause instanceof RequestError) return { ...formatted, message: cause.message, extensions: { code: cause.code, ...cause.extensions } };
  return formatted;
}
