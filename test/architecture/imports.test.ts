import { dirname, join, normalize } from 'node:path';
import { filesOf, importsOf } from '../support/sources.js';

/** The import law of docs/architecture.md: what each floor of the house may import, besides itself. */
const LAW: Record<string, string[]> = {
  domain: [],
  database: ['domain', 'config'],
  redis: ['domain', 'config'],
  services: ['domain', 'database', 'redis', 'config'],
  schema: ['domain'],
  resolvers: ['schema', 'services', 'domain', 'context'],
  workers: ['services', 'domain', 'redis/jobs', 'redis/client', 'redis/keys', 'redis/within'],
  launcher: ['config'],
  config: [],
};

/** Types of what a floor is given need no law: they are gone when it runs. Which floors may take whose types. */
const TYPES_FROM: Record<string, string[]> = {
  resolvers: ['database'],
  workers: ['context'],
  launcher: ['database'],
};

/** Libraries that only some floors may use; `type:` floors may import their types alone. */
const FENCES: { library: RegExp; floors: string[]; types: string[] }[] = [
  { library: /^(ioredis|bullmq)$/, floors: ['redis', 'workers'], types: ['services', 'app'] },
  { library: /^(@mikro-orm\/|kysely$|mysql2)/, floors: ['database', 'services', 'app'], types: ['run'] },
  { library: /^(type-graphql|graphql|graphql-scalars|@apollo\/.*|graphql-ws.*|graphql\/.*)$/, floors: ['schema', 'resolvers', 'server', 'context'], types: ['run'] },
  { library: /^graphql-redis-subscriptions$/, floors: ['redis'], types: [] },
  { library: /^(fastify|@fastify\/|ws$)/, floors: ['server'], types: [] },
];

const files = filesOf('src', '.ts');
const floorOf = (file: string): string => file.replace(/^src\//, '').replace(/\.ts$/, '').split('/')[0]!;
/** `src/redis/keys.ts` → `redis/keys`. */
const target = (file: string, specifier: string): string => normalize(join(dirname(file), specifier)).replace(/^src\//, '').replace(/\.js$/, '');
const own = (file: string, types: boolean): string[] => importsOf(file, types).filter((specifier) => specifier.startsWith('.')).map((specifier) => target(file, specifier));
const allows = (allowed: string[], imported: string): boolean => allowed.some((name) => imported === name || imported.startsWith(`${name}/`));

function brokenImports(): string[] {
  return files.flatMap((file) => {
    const floor = floorOf(file);
    const law = LAW[floor];
    if (!law) return [];
    const runs = own(file, false).filter((imported) => !allows([floor, ...law], imported));
    const types = own(file, true).filter((imported) => !allows([floor, ...law, ...(TYPES_FROM[floor] ?? [])], imported));
    return [...runs, ...types].map((imported) => `${file} imports ${imported}`);
  });
}

function brokenFences(): string[] {
  return files.flatMap((file) =>
    FENCES.flatMap(({ library, floors, types }) => {
      const used = (onlyTypes: boolean): string[] => importsOf(file, onlyTypes).filter((specifier) => library.test(specifier));
      if (floors.includes(floorOf(file))) return [];
      return [...used(false), ...(types.includes(floorOf(file)) ? [] : used(true))].map((specifier) => `${file} uses ${specifier}`);
    }),
  );
}

test('each floor imports only what the law allows', () => expect(brokenImports()).toEqual([]));

test('the product knows nothing of what drills and tests it', () => {
  const outside = files.flatMap((file) => [...own(file, false), ...own(file, true)].filter((imported) => /^(drills|test|scripts)\//.test(imported)).map((imported) => `${file} imports ${imported}`));
  expect(outside).toEqual([]);
});

test('libraries stay behind their fences', () => expect(brokenFences()).toEqual([]));

test('every floor of the source is known to the law or is made of single files', () => {
  const folders = new Set(files.filter((file) => file.split('/').length > 2).map(floorOf));
  expect([...folders].filter((floor) => !(floor in LAW) && floor !== 'server')).toEqual([]);
});

test('the scan sees what it has to see', () => {
  expect(importsOf('src/app.ts', false)).toContain('./services/queue.service.js');
  expect(importsOf('src/app.ts', true)).toContain('ioredis');
  expect(importsOf('src/app.ts', false)).not.toContain('ioredis');
});
