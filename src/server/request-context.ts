import type { IncomingMessage } from 'node:http';
import { GraphQLError } from 'graphql';
import type { App } from '../app.js';
import type { Context, Services } from '../context.js';
import type { Loaders } from '../database/loaders.js';
import { RequestError, serviceUnavailable } from '../domain/errors.js';
import type { ReadSet } from '../domain/read-set.js';
import type { Viewer } from '../domain/viewer.js';
import { clientAddressOf } from './client-address.js';
import { isStoreAway } from './store-errors.js';

/** What a request says of its sender, however it came. */
export interface Sender {
  requestId: string;
  accessToken: string | null;
  queueToken: string | null;
  address: string;
}

const BEARER = /^Bearer ([\w.~+/-]+=*)$/i;
/** Longer than any token of ours; not worth checking a signature over. */
const TOKEN_MAX_LENGTH = 4096;

export const bearerOf = (authorization: unknown): string | null => {
  if (typeof authorization !== 'string' || authorization.length > TOKEN_MAX_LENGTH) return null;
  return BEARER.exec(authorization)?.[1] ?? null;
};

export const tokenOf = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' && value.length <= TOKEN_MAX_LENGTH ? value : null;

export const viewerOfToken = async (app: App, accessToken: string | null): Promise<Viewer | null> =>
  accessToken === null ? null : app.services.sessions.authenticate(accessToken);

/** What an HTTP request says of its sender, whichever way it goes. */
export function senderOf(app: App, request: IncomingMessage, requestId: string): Sender {
  const { authorization, 'x-queue-token': queueToken } = request.headers;
  return { requestId, accessToken: bearerOf(authorization), queueToken: tokenOf(queueToken), address: clientAddressOf(request, app.config.trustProxyHops) };
}

/** The one place where an operation is counted and its sender found out, for both ways and both transports. */
export const admitSender = (app: App, sender: Sender): Promise<Viewer | null> => app.services.senders.admit(sender);

/** Most operations load nothing, so loaders are made when the first is asked for. */
class OperationContext implements Context {
  reads?: ReadSet;
  private made: Loaders | undefined;
  readonly requestId: string;
  readonly queueToken: string | null;
  readonly address: string;
  readonly services: Services;

  constructor(
    private readonly app: App,
    sender: Sender,
    readonly viewer: Viewer | null,
  ) {
    this.requestId = sender.requestId;
    this.queueToken = sender.queueToken;
    this.address = sender.address;
    this.services = app.services;
  }

  get loaders(): Loaders {
    return (this.made ??= this.app.createLoaders(this.reads));
  }
}

export const contextOf = (app: App, sender: Sender, viewer: Viewer | null): Context => new OperationContext(app, sender, viewer);

const STATUS_OF: Partial<Record<string, number>> = { RATE_LIMITED: 429, SERVICE_UNAVAILABLE: 503 };

/** What a client may know of why its request was not let in; undefined for a fault of ours. */
const shownOf = (refused: unknown): RequestError | undefined => {
  if (isStoreAway(refused)) return serviceUnavailable();
  return refused instanceof RequestError ? refused : undefined;
};

/** An operation that was refused before it began: over HTTP the status says so too, for proxies and for clients that look no further. */
export function statusOfRefused(refused: unknown): number {
  const shown = shownOf(refused);
  return shown ? (STATUS_OF[shown.code] ?? 400) : 500;
}

export const retryAfterOf = (refused: unknown): number | undefined => shownOf(refused)?.extensions.retryAfterSeconds;

/** The same in the words of Apollo. */
export function refusedWithStatus(refused: unknown): unknown {
  const shown = shownOf(refused);
  if (!shown) return refused;
  const seconds = retryAfterOf(refused);
  const http = { status: statusOfRefused(refused), headers: new Map(seconds === undefined ? [] : [['retry-after', String(seconds)]]) };
  return new GraphQLError(shown.message, { originalError: refused as Error, extensions: { http } });
}
