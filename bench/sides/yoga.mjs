import { createServer } from 'node:http';
import { createSchema, createYoga } from 'graphql-yoga';
import { resolvers, typeDefs, viewerOf } from './support/reads-schema.js';

/** GraphQL Yoga on node:http, as its documentation sets it up. No TypeScript: its types would add to graphql's own, for the whole of this project. */

const yoga = createYoga({
  schema: createSchema({ typeDefs, resolvers }),
  graphiql: false,
  context: ({ request }) => viewerOf({ headers: { authorization: request.headers.get('authorization') ?? undefined } }),
});
const server = createServer(yoga);
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
