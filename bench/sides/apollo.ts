import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import { resolvers, typeDefs, viewerOf, type Viewer } from './support/reads-schema.js';

/** Apollo Server, as its documentation sets it up. */

const server = new ApolloServer<Viewer>({ typeDefs, resolvers: resolvers as never });
const { url } = await startStandaloneServer(server, { listen: { port: 0, host: '127.0.0.1' }, context: ({ req }) => viewerOf(req) });
console.log(url);
