import { ApolloServer, HeaderMap, type ApolloServerPlugin, type HTTPGraphQLResponse } from '@apollo/server';
import { ApolloServerPluginCacheControlDisabled, ApolloServerPluginLandingPageDisabled, ApolloServerPluginUsageReportingDisabled } from '@apollo/server/plugin/disabled';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { GraphQLSchema } from 'graphql';
import type { App } from '../app.js';
import type { Context } from '../context.js';
import { byDeadline, NoAnswer, withDeadline } from '../domain/deadline.js';
import { RequestError, serviceUnavailable } from '../domain/errors.js';
import type { ErrorEdge } from './errors.js';
import { extraRules, labelOf, PARSE_OPTIONS, validationOptions } from './operation-rules.js';
import { admitSender, bearerOf, contextOf, refusedWithStatus, tokenOf } from './request-context.js';
import { currentScope, inScope, newScope, type RequestScope } from './request-scope.js';
import { ERRORS_MAX, GIVEN_UP_AFTER_MS } from './limits.js';

const METHODS = ['GET', 'POST'];

/** Queries by GET and POST, mutations by POST. */
export async function serveGraphqlHttp(http: FastifyInstance, app: App, schema: GraphQLSchema, edge: ErrorEdge): Promise<ApolloServer<Context>> {
  const apollo = new ApolloServer<Context>({
    schema,
    persistedQueries: false,
    allowBatchedHttpRequests: false,
    csrfPrevention: true,
    // Closed by our own rule, which the websocket shares.
    introspection: true,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    logger: app.logger,
    parseOptions: PARSE_OPTIONS,
    validationRules: extraRules(app.config.production),
    validationOptions: validationOptions(app.config.production),
    plugins: [
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      labelsOperations(schema),
      refusesSubscriptions,
      boundsErrors,
      answersJsonClientsWith200,
    ],
    formatError: (_formatted, error) => edge.toClient(error),
  });
  await apollo.start();
  http.route({ method: METHODS, url: '/graphql', handler: (request, reply) => answer(apollo, app, request, reply) });
  return apollo;
}

async function answer(apollo: ApolloServer<Context>, app: App, request: FastifyRequest, reply: FastifyReply): Promise<string> {
  const started = performance.now();
  const scope = newScope(request.id);
  const running = inScope(scope, () =>
    withDeadline(GIVEN_UP_AFTER_MS, () =>
      apollo.executeHTTPGraphQLRequest({
        httpGraphQLRequest: {
          method: request.method,
          headers: headersOf(request),
          search: request.url.includes('?') ? request.url.slice(request.url.indexOf('?')) : '',
          body: request.body,
        },
        context: () => httpContext(app, request),
      }),
    ),
  );
  const result = await byDeadline(running, GIVEN_UP_AFTER_MS).catch((error: unknown) => {
    if (!(error instanceof NoAnswer)) throw error;
    app.logger.warn({ requestId: request.id, operation: scope.operation }, 'answered before its end, which did not come in time');
    return noAnswerYet(scope);
  });
  app.metrics.operationAnswered({ ...scope.operation, code: scope.code }, (performance.now() - started) / 1000);
  for (const [name, value] of result.headers) void reply.header(name, value);
  void reply.code(result.status ?? 200).header('cache-control', 'no-store');
  return result.body.kind === 'complete' ? result.body.string : '';
}

/** What runs goes on and ends by itself: whether it happened is known to nobody yet. */
function noAnswerYet(scope: RequestScope): HTTPGraphQLResponse {
  const { code, extensions } = serviceUnavailable();
  scope.code = code;
  const message = 'There is no answer yet: it may or may not have happened. Repeating the same call is safe.';
  const headers = new HeaderMap([['content-type', 'application/json; charset=utf-8'], ['retry-after', String(extensions.retryAfterSeconds)]]);
  return { status: 503, headers, body: { kind: 'complete', string: JSON.stringify({ errors: [{ message, extensions: { code, ...extensions } }] }) } };
}

function headersOf(request: FastifyRequest): HeaderMap {
  const headers = new HeaderMap();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return headers;
}

async function httpContext(app: App, request: FastifyRequest): Promise<Context> {
  const sender = {
    requestId: request.id,
    accessToken: bearerOf(request.headers.authorization),
    queueToken: tokenOf(request.headers['x-queue-token']),
    address: request.ip,
  };
  try {
    return contextOf(app, sender, await admitSender(app, sender));
  } catch (error) {
    throw refusedWithStatus(error);
  }
}

const labelsOperations = (schema: GraphQLSchema): ApolloServerPlugin<Context> => ({
  requestDidStart: async () => ({
    didResolveOperation: async ({ operation }) => {
      const scope = currentScope();
      if (scope) scope.operation = labelOf(schema, operation);
    },
  }),
});

/** Apollo would run one like a query, past the guards, which stand in front of `subscribe`. */
const refusesSubscriptions: ApolloServerPlugin<Context> = {
  requestDidStart: async () => ({
    didResolveOperation: async ({ operation }) => {
      if (operation?.operation === 'subscription') throw refusedWithStatus(new RequestError('BAD_USER_INPUT', 'Subscriptions are for the websocket.'));
    },
  }),
};

const boundsErrors: ApolloServerPlugin<Context> = {
  requestDidStart: async () => ({
    willSendResponse: async ({ response: { body } }) => {
      if (body.kind === 'single' && body.singleResult.errors) body.singleResult.errors = body.singleResult.errors.slice(0, ERRORS_MAX);
    },
  }),
};

/** Clients that know only application/json read the body whatever happened; GraphQL over HTTP asks for 200 when they sent a document that was read and refused. */
const answersJsonClientsWith200: ApolloServerPlugin<Context> = {
  requestDidStart: async () => ({
    willSendResponse: async ({ request, source, response }) => {
      const accept = request.http?.headers.get('accept') ?? '';
      const onlyJson = accept.includes('application/json') && !accept.includes('application/graphql-response+json') && !accept.includes('*/*');
      if (onlyJson && source !== undefined && response.http.status === 400) response.http.status = 200;
    },
  }),
};
