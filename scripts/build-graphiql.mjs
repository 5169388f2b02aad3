// Bundles GraphiQL with its workers into static files, so that the page asks no other host for anything.
import { cpSync, globSync, readFileSync } from 'node:fs';
import { build } from 'esbuild';

const WORKERS = {
  'editor.worker': 'monaco-editor/esm/vs/editor/editor.worker.js',
  'json.worker': 'monaco-editor/esm/vs/language/json/json.worker.js',
  'graphql.worker': 'monaco-graphql/esm/graphql.worker.js',
};

/** The example files in their order, `NN-name.graphql`; tabs.ts tells what is in them. */
const readExamples = () => globSync('web/graphiql/tabs/*.graphql').sort().map((file) => readFileSync(file, 'utf8'));

export async function buildGraphiql(target) {
  const shared = {
    bundle: true,
    minify: true,
    outdir: target,
    logLevel: 'warning',
    legalComments: 'linked',
    loader: { '.ttf': 'file', '.woff2': 'file', '.svg': 'file' },
    define: { 'process.env.NODE_ENV': '"production"', 'process.env.USE_IMPORT': '"true"', EXAMPLE_TABS: JSON.stringify(readExamples()) },
  };
  await Promise.all([
    build({ ...shared, entryPoints: { main: 'web/graphiql/main.js' }, format: 'esm', target: 'es2022' }),
    build({ ...shared, entryPoints: WORKERS, format: 'iife', target: 'es2022' }),
  ]);
  cpSync('web/graphiql/index.html', `${target}/index.html`);
  cpSync('web/graphiql/icon.svg', `${target}/icon.svg`);
}
