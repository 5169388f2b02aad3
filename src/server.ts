import type { GraphQLSchema } from 'graphql';
import type { App } from './app.js';
import { ErrorEdge } from './server/errors.js';
import { serveGraphql } from './server/graphql.js';
import { serveHealth } from './server/health.js';
import { serveGraphiql } from './server/graphiql.js';
import { createHttp } from './server/http.js';
import type { KnownOperations } from './server/known-operations.js';
import { SocketEdge } from './server/websocket.js';

export interface Server {
  url: string;
  /** What is answered ahead of Apollo; null without a schema. */
  known: KnownOperations | null;
  /** Takes nothing new, finishes what runs, sends websockets away; bounded by SHUTDOWN_TIMEOUT_MS. */
  close(): Promise<void>;
}

/** HTTP and websockets on one port. Without a schema only what operators ask for: health and metrics. */
export async function startServer(app: App, schema: GraphQLSchema | null): Promise<Server> {
  let draining = false;
  const edge = new ErrorEdge(app.logger, app.config.production);
  const http = await createHttp(app, edge);
  // A connection that would be kept alive after its last answer would keep the process alive too.
  http.addHook('onSend', async (_request, reply) => {
    if (draining) void reply.header('connection', 'close');
  });
  serveHealth(http, app, () => draining);
  if (schema && !app.config.production) await serveGraphiql(http);
  const graphql = schema && (await serveGraphql(http, app, schema, edge, () => draining));
  const sockets = schema && new SocketEdge(app, schema, edge);
  await sockets?.attach(http.server);
  const address = await http.listen({ port: app.config.port, host: app.config.host });
  return {
    known: graphql?.known ?? null,
    url: address.replace('0.0.0.0', '127.0.0.1'),
    close: async () => {
      draining = true;
      const cutOff = setTimeout(() => http.server.closeAllConnections(), app.config.shutdownTimeoutMs);
      await Promise.all([http.close(), sockets?.close(app.config.shutdownTimeoutMs)]);
      clearTimeout(cutOff);
      await graphql?.stop();
    },
  };
}
