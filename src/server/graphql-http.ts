import { ApolloServer, HeaderMap, type ApolloServerOptions, type ApolloServerPlugin } from '@apollo/server';
import { ApolloServerPluginCacheControlDisabled, ApolloServerPluginLandingPageDisabled, ApolloServerPluginUsageReportingDisabled } from '@apollo/server/plugin/disabled';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { GraphQLSchema } from 'graphql';
import type { App } from '../app.js';
import type { Context } from '../context.js';
import { RequestError } from '../domain/errors.js';
import { takesOnlyJson, type AcceptedTypes } from './accepted-types.js';
import type { ErrorEdge } from './errors.js';
import { eachHeader } from './headers.js';
import { inTime, type HttpAnswer } from './http-answer.js';
import type { KnownOperations } from './known-operations.js';
import { extraRules, labelOf, PARSE_OPTIONS, validationOptions } from './operation-rules.js';
import { admitSender, contextOf, refusedWithStatus, senderOf } from './request-context.js';
import { currentScope, newScope } from './request-scope.js';
import { ERRORS_MAX } from './limits.js';

const METHODS = ['GET', 'POST'];
/** What Apollo puts in front of a hash. */
const PERSISTED_PREFIX = 'apq:';

/** Queries by GET and POST, mutations by POST. */
export async function serveGraphqlHttp(http: FastifyInstance, app: App, schema: GraphQLSchema, edge: ErrorEdge, known: KnownOperations, accepted: AcceptedTypes): Promise<ApolloServer<Context>> {
  const apollo = new ApolloServer<Context>({
    schema,
    persistedQueries: { cache: persistedQueries(known) },
    stringifyResult: (result) => JSON.stringify(result),
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
      learnsDocuments(known),
      boundsErrors,
      answersJsonClientsWith200,
    ],
    formatError: (_formatted, error) => edge.toClient(error),
  });
  await apollo.start();
  http.route({ method: METHODS, url: '/graphql', handler: (request, reply) => answer(apollo, app, request, reply, accepted) });
  return apollo;
}

async function answer(apollo: ApolloServer<Context>, app: App, request: FastifyRequest, reply: FastifyReply, accepted: AcceptedTypes): Promise<string | Buffer> {
  const started = performance.now();
  const scope = newScope(request.id);
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const run = async (): Promise<HttpAnswer> => {
    const result = await apollo.executeHTTPGraphQLRequest({
      httpGraphQLRequest: {
        method: request.method,
        headers: headersOf(request),
        search: request.url.includes('?') ? request.url.slice(request.url.indexOf('?')) : '',
        body: request.body,
      },
      context: () => httpContext(app, request),
    });
    if (scope.code === 'OK') accepted.learn(request.headers.accept, result.headers.get('content-type'));
    return { status: result.status ?? 200, headers: [...result.headers].flat(), body: result.body.kind === 'complete' ? result.body.string : '' };
  };
  inTime(app, scope, run, resolve, reject);
  const { status, headers, body } = await promise;
  app.metrics.operationAnswered({ ...scope.operation, code: scope.code }, (performance.now() - started) / 1000);
  eachHeader(headers, (name, value) => void reply.header(name, value));
  void reply.code(status).header('cache-control', 'no-store');
  return body;
}

function headersOf(request: FastifyRequest): HeaderMap {
  const headers = new HeaderMap();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return headers;
}

async function httpContext(app: App, request: FastifyRequest): Promise<Context> {
  const sender = senderOf(app, request.raw, request.id);
  try {
    return contextOf(app, sender, await admitSender(app, sender));
  } catch (error) {
    throw refusedWithStatus(error);
  }
}

/** What is good is known from then on. */
const learnsDocuments = (known: KnownOperations): ApolloServerPlugin<Context> => ({
  requestDidStart: async () => ({
    didResolveOperation: async ({ source, document }) => known.learn(source, document),
  }),
});

/** Automatic persisted queries: clients send the hash of a document that is known, and its text only where it is not. */
const persistedQueries = (known: KnownOperations): NonNullable<Exclude<ApolloServerOptions<Context>['persistedQueries'], false>>['cache'] & object => ({
  get: async (key) => known.byHash(key.slice(PERSISTED_PREFIX.length))?.text,
  // What is registered was found valid before that, so it is known already.
  set: async () => undefined,
  delete: async () => undefined,
});

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
      const refusedAfterReading = source !== undefined && response.http.status === 400;
      if (refusedAfterReading && takesOnlyJson(request.http?.headers.get('accept'))) response.http.status = 200;
    },
  }),
};
