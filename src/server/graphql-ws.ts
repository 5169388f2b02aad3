import { setImmediate as nextTurn } from 'node:timers/promises';
import { GraphQLError, type GraphQLSchema } from 'graphql';
import { makeServer, type Context as Connection, type Server, type SubscribePayload } from 'graphql-ws';
import type { App } from '../app.js';
import type { Context, Services } from '../context.js';
import type { Loaders } from '../database/loaders.js';
import { byDeadline, withDeadline } from '../domain/deadline.js';
import { badInput, RequestError } from '../domain/errors.js';
import type { Viewer } from '../domain/viewer.js';
import type { ErrorEdge } from './errors.js';
import { isAscii, isKnownAscii } from './event-socket.js';
import { GUEST_IDLE_MS, INIT_TIMEOUT_MS, SUBSCRIPTIONS_PER_SOCKET_MAX } from './limits.js';
import { admitSender, bearerOf, tokenOf } from './request-context.js';
import { currentScope, leftOf } from './request-scope.js';
import { CLOSE_BAD_REQUEST, CLOSE_FORBIDDEN, CLOSE_TRY_LATER, CLOSE_UNAUTHENTICATED, type Closable, type SocketRegistry } from './socket-registry.js';
import { isStoreAway } from './store-errors.js';
import { subscribe, type SubscriptionArgs } from './subscribe.js';
import { SubscriptionPlans, type SubscriptionPlan } from './subscription-plans.js';

/** One websocket, as far as GraphQL knows it. */
export interface SocketState extends Closable {
  requestId: string;
  address: string;
  accessToken: string | null;
  queueToken: string | null;
  isOpen(): boolean;
  /** Straight to the socket; the promise of one that reads slowly. `isAscii`: known to be that. */
  write(text: string, isAscii?: boolean): Promise<void> | undefined;
  acknowledged(): void;
  /** Running subscriptions, with their field for the metrics: few enough for a list, and a map would take more than all else that is kept of them. */
  running: readonly { id: string; field: string }[];
}

type Socket = Connection<Record<string, unknown>, SocketState>;

/** The protocol of subscriptions, behind the same checks and with the same errors as HTTP. Queries and mutations belong there. */
export function createGraphqlWs<Extra extends SocketState>(app: App, schema: GraphQLSchema, edge: ErrorEdge, registry: SocketRegistry<Extra>): Server<Extra> {
  const plans = new SubscriptionPlans(schema, app.config.production);
  return makeServer<Record<string, unknown>, SocketState>({
    connectionInitWaitTimeout: INIT_TIMEOUT_MS,
    onConnect: (socket) => connect(app, registry, socket),
    onSubscribe: async (socket, id, payload) => {
      try {
        return await admitted(() => operationArgs(app, schema, plans, socket, id, payload));
      } catch (error) {
        return [error instanceof GraphQLError ? error : new GraphQLError('Refused.', { originalError: error as Error })];
      }
    },
    subscribe: (args) => subscribe(args as SubscriptionArgs, app.createLoaders),
    onOperation: ({ extra }, id, _payload, _args, result) => {
      if (!(Symbol.asyncIterator in result)) return;
      const label = currentScope()!.operation;
      extra.running = [...extra.running, { id, field: label.field }];
      app.metrics.subscriptionStarted(label.field);
      app.metrics.operationAnswered({ ...label, code: 'OK' });
    },
    onNext: ({ extra }, id, _payload, _args, result) => {
      const scope = currentScope()!;
      scope.faults = null;
      scope.code = 'OK';
      const shown = result.errors ? { ...result, errors: edge.allToClient(result.errors) } : undefined;
      if (extra.running.some((one) => one.id === id)) app.metrics.eventSent(scope.operation.field);
      else app.metrics.operationAnswered({ ...scope.operation, code: scope.code });
      return shown as never;
    },
    onError: (_socket, _id, _payload, errors) => {
      const scope = currentScope()!;
      scope.code = 'OK';
      const shown = edge.allToClient(errors);
      app.metrics.operationAnswered({ ...scope.operation, code: scope.code });
      return shown;
    },
    onComplete: ({ extra }, id) => {
      const ended = extra.running.find((one) => one.id === id);
      if (!ended) return;
      extra.running = extra.running.filter((one) => one !== ended);
      app.metrics.subscriptionEnded(ended.field);
    },
  });
}

/** What a message needs before it may begin. */
function admitted<T>(work: () => Promise<T>): Promise<T> {
  const left = leftOf(currentScope()!);
  return byDeadline(withDeadline(left, work), left);
}

/** A missing token is a guest, a bad one is turned away: its owner must know before waiting for events that never come. */
async function connect(app: App, registry: SocketRegistry<SocketState>, { extra, connectionParams = {} }: Socket): Promise<boolean | Record<string, unknown>> {
  const { authorization, queueToken } = connectionParams;
  const refuse = (code: number, reason: string): false => {
    extra.close(code, reason);
    return false;
  };
  if (!isTextOrMissing(authorization) || !isTextOrMissing(queueToken)) return refuse(CLOSE_BAD_REQUEST, 'authorization and queueToken must be strings');
  extra.accessToken = bearerOf(authorization);
  extra.queueToken = tokenOf(queueToken);
  if (authorization && !extra.accessToken) return refuse(CLOSE_FORBIDDEN, 'Forbidden');
  try {
    const viewer = await admitted(() => admitSender(app, extra));
    if (extra.accessToken && !viewer) return refuse(CLOSE_FORBIDDEN, 'Forbidden');
    if (!extra.isOpen()) return false;
    if (viewer) registry.add(extra, viewer);
    else closeIdleGuest(extra);
  } catch (error) {
    if (!(error instanceof RequestError || isStoreAway(error))) app.logger.error({ err: error }, 'connect');
    return refuse(CLOSE_TRY_LATER, 'Try again later');
  }
  extra.acknowledged();
  return { requestId: extra.requestId };
}

/** Guests have no user to count their sockets by: what bounds them is that an idle one ends. */
function closeIdleGuest(socket: SocketState): void {
  setTimeout(() => {
    if (socket.running.length === 0) socket.close(CLOSE_UNAUTHENTICATED, 'Sign in to subscribe');
  }, GUEST_IDLE_MS).unref();
}

/** It lives as long as the subscription, whose start seldom needs loaders; each event has its own. */
class SubscriptionContext implements Context {
  readonly queueToken: string | null;
  readonly address: string;
  readonly services: Services;
  #loaders: Loaders | undefined;
  readonly #createLoaders: () => Loaders;

  constructor(
    { services, createLoaders }: App,
    { queueToken, address }: SocketState,
    readonly requestId: string,
    readonly viewer: Viewer | null,
  ) {
    this.queueToken = queueToken;
    this.address = address;
    this.services = services;
    this.#createLoaders = createLoaders;
  }

  get loaders(): Loaders {
    return (this.#loaders ??= this.#createLoaders());
  }
}

/** So many events that were ready at once are written before others have a turn. */
const EVENTS_PER_TURN = 64;

/** In the words of graphql-ws, and counted as it would be. */
function delivererOf(app: App, socket: SocketState, id: string, { label: { field }, events }: SubscriptionPlan): SubscriptionArgs['deliver'] {
  const open = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
  const mayBeAscii = events?.isShared === true && isAscii(open);
  let delivered = 0;
  return (payload) => {
    // Nobody would hear of its end otherwise, whose source has always more.
    if (!socket.isOpen()) return nextTurn();
    app.metrics.eventSent(field);
    delivered += 1;
    const taken = socket.write(`${open}${payload}}`, mayBeAscii && isKnownAscii(payload));
    return taken ?? (delivered % EVENTS_PER_TURN === 0 ? nextTurn() : undefined);
  };
}

const isTextOrMissing = (value: unknown): value is string | null | undefined => value === undefined || value === null || typeof value === 'string';

async function operationArgs(
  app: App,
  schema: GraphQLSchema,
  plans: SubscriptionPlans,
  { extra, subscriptions }: Socket,
  id: string,
  payload: SubscribePayload,
): Promise<SubscriptionArgs | readonly GraphQLError[]> {
  if (Object.keys(subscriptions).length > SUBSCRIPTIONS_PER_SOCKET_MAX) {
    throw new RequestError('BAD_USER_INPUT', `A socket carries at most ${SUBSCRIPTIONS_PER_SOCKET_MAX} subscriptions.`);
  }
  const viewer = await admitSender(app, extra);
  // A lost message may have told us of a sign-out; whoever subscribes again meets it here.
  if (extra.accessToken && !viewer) extra.close(CLOSE_FORBIDDEN, 'Forbidden');
  const plan = plans.of(payload.query, payload.operationName);
  if (!('document' in plan)) return plan;
  // graphql-ws keeps the message as long as the subscription lasts: all who sent the same text keep it once.
  (payload as { query: string }).query = plan.query;
  const scope = currentScope()!;
  scope.operation = plan.label;
  if (!plan.kind) throw badInput('operationName', 'The document has no such operation.');
  if (plan.kind !== 'subscription') throw new RequestError('BAD_USER_INPUT', 'The websocket is for subscriptions; send queries and mutations over HTTP.');
  return {
    schema,
    document: plan.document,
    operationName: payload.operationName,
    variableValues: payload.variables,
    contextValue: new SubscriptionContext(app, extra, scope.requestId, viewer),
    hideSuggestions: app.config.production,
    events: plan.events,
    deliver: delivererOf(app, extra, id, plan),
  };
}
