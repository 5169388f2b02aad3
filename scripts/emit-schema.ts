import { writeFileSync } from 'node:fs';
import { printServedSchema } from '../src/schema/print-schema.js';
import { resolvers } from '../src/resolvers/index.js';

/** Writes the served schema to src/schema/schema.graphql, which is committed; a test tells when it is stale. */
writeFileSync(new URL('../src/schema/schema.graphql', import.meta.url), await printServedSchema(resolvers));
