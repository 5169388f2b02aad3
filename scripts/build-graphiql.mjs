// Bundles GraphiQL with its workers into static files, so that the page asks no other host for anything.
import { cpSync, globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { build } from 'esbuild';

const WORKERS = {
  'editor.worker': 'monaco-editor/esm/vs/editor/editor.worker.js',
  'json.worker': 'monaco-editor/esm/vs/language/json/json.worker.js',
  'graphql.worker': 'monaco-graphql/esm/graphql.worker.js',
};

/** The example tabs in their order, as the page shows them: `NN-name.graphql` with, where needed, `NN-name.json` beside it for variables and headers. */
export function readTabs(folder = 'web/graphiql/tabs') {
  return globSync(`${folder}/*.graphql`)
    .sort()
    .map((file) => ({ name: basename(file, '.graphql'), query: readFileSync(file, 'utf8').trim() }));
}

export async function buildGraphiql(target) {
  const shared = {
    bundle: true,
    minify: true,
    outdir: target,
    logLevel: 'warning',
    legalComments: 'linked',
    loader: { '.ttf': 'file', '.woff2': 'file', '.svg': 'file' },
    define: { 'process.env.NODE_ENV': '"production"', 'process.env.USE_IMPORT': '"true"', EXAMPLE_TABS: JSON.stringify(readTabs()) },
  };
  await Promise.all([
    build({ ...shared, entryPoints: { main: 'web/graphiql/main.js' }, format: 'esm', target: 'es2022' }),
    build({ ...shared, entryPoints: WORKERS, format: 'iife', target: 'es2022' }),
  ]);
  cpSync('web/graphiql/index.html', `${target}/index.html`);
  cpSync('web/graphiql/icon.svg', `${target}/icon.svg`);
}
