import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pino } from 'pino';
import { createApp, type App } from '../../src/app.js';
import { ENVIRONMENT_NAMES, EXAMPLE_SECRET, readConfig } from '../../src/config.js';
import { User } from '../../src/database/entities/user.entity.js';
import { stopServer, type ServerProcess } from '../../src/launcher/server-process.js';
import { Builder, type BuiltConcert, type Buyer } from '../support/builder.js';
import { graphqlClient, websocketClient, type Answer, type GraphqlClient } from '../support/client.js';
import { interpolate, readCompose, readDockerfile, variablesOf, type Compose } from '../support/compose.js';
import { freePort } from '../support/free-port.js';
import { buildImage, startComposeStores, startNginx, type TcpStores } from '../support/containers.js';
import { eventually } from '../support/eventually.js';
import { STOPS_WITH_PARENT } from '../support/process.js';
import { makeRunFolder } from '../../scripts/run-folder.js';

/** What the README says to do: copy .env.example and fill in two secrets. */
const copied = Object.fromEntries([...readFileSync('.env.example', 'utf8').matchAll(/^([A-Z_0-9]+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]));
const secrets = { AUTH_SECRET: 'a-secret-for-the-compose-test-0123456789', MARIADB_PASSWORD: 'a-database-password' };
const env = { ...copied, ...secrets };
const compose: Compose = readCompose(env);
const APP_SERVICES = ['api-1', 'api-2', 'worker'];

test('the compose file has the stores, two APIs, a worker and nginx in front', () => {
  expect(Object.keys(compose.services)).toEqual(['mariadb', 'redis', 'api-1', 'api-2', 'worker', 'nginx']);
  expect(compose.services['redis']!.command).toEqual(expect.arrayContaining(['--appendonly', 'noeviction']));
  expect(compose.services['mariadb']!.volumes).toHaveLength(1);
  expect(compose.services['redis']!.volumes).toHaveLength(1);
});

test.each(APP_SERVICES)('every variable of %s is a setting of the configuration, with a good value', (name) => {
  const { environment } = compose.services[name]!;
  expect(Object.keys(environment!).filter((variable) => !ENVIRONMENT_NAMES.includes(variable))).toEqual([]);
  expect(readConfig(environment!)).toMatchObject({ production: true, seedDemo: false, logLevel: 'info', authSecret: secrets.AUTH_SECRET, roles: [name === 'worker' ? 'worker' : 'api'] });
  expect(readConfig(readCompose(secrets).services[name]!.environment!)).toEqual(readConfig(environment!));
});

/** What the containers decide, whatever .env says: nginx and the health check know the port, and the stores are those beside them. */
const FIXED = ['PORT', 'HOST', 'DATABASE_URL', 'REDIS_URL', 'DATA_DIR', 'ROLES'];
/** In .env they are for a process on this machine; the containers have them under a name of their own. */
const RENAMED: Record<string, string> = { NODE_ENV: 'APP_NODE_ENV', TRUST_PROXY_HOPS: 'APP_TRUST_PROXY_HOPS' };

test('every setting of .env reaches the containers, but for those that they decide themselves', () => {
  const marks = Object.fromEntries([...ENVIRONMENT_NAMES, ...Object.values(RENAMED)].map((name) => [name, `mark-of-${name}`]));
  const { environment } = readCompose({ ...marks, MARIADB_PASSWORD: 'own' }).services['api-1']!;
  const passed = ENVIRONMENT_NAMES.filter((name) => environment![name] === `mark-of-${RENAMED[name] ?? name}`);
  expect(passed.concat(FIXED).sort()).toEqual([...ENVIRONMENT_NAMES].sort());
});

test('APP_NODE_ENV=development brings the demo', () => {
  expect(readConfig(readCompose({ ...env, APP_NODE_ENV: 'development' }).services['api-1']!.environment!)).toMatchObject({ production: false, seedDemo: true });
});

test('every service waits for the health of what it needs, and what is waited for has a check', () => {
  const hasCheck = (name: string): boolean => compose.services[name]!.healthcheck?.test !== undefined || readDockerfile().some(({ keyword }) => keyword === 'HEALTHCHECK');
  for (const { depends_on } of Object.values(compose.services)) {
    for (const [needed, { condition }] of Object.entries(depends_on ?? {})) expect({ needed, condition, hasCheck: hasCheck(needed) }).toEqual({ needed, condition: 'service_healthy', hasCheck: true });
  }
  expect(Object.keys(compose.services['api-1']!.depends_on!)).toEqual(['mariadb', 'redis']);
});

test('what the compose file takes from .env stands in .env.example; secrets have no default', () => {
  const example = readFileSync('.env.example', 'utf8');
  for (const { name } of variablesOf(compose.text)) expect(example).toMatch(new RegExp(`^${name}=`, 'm'));
  expect([...new Set(variablesOf(compose.text).filter(({ required }) => required).map(({ name }) => name))].sort()).toEqual(['AUTH_SECRET', 'MARIADB_PASSWORD']);
  expect(() => interpolate(compose.text, { AUTH_SECRET: 'x' })).toThrow('MARIADB_PASSWORD: write a MARIADB_PASSWORD into .env');
});

test('a copied .env.example runs nothing in containers until it has secrets of its own', () => {
  expect(() => readCompose(copied)).toThrow('AUTH_SECRET: write an AUTH_SECRET');
  expect(() => readCompose({ ...copied, AUTH_SECRET: secrets.AUTH_SECRET })).toThrow('MARIADB_PASSWORD: write a MARIADB_PASSWORD');
  const { environment } = readCompose({ ...copied, MARIADB_PASSWORD: 'own', AUTH_SECRET: EXAMPLE_SECRET }).services['api-1']!;
  expect(() => readConfig(environment!)).toThrow('AUTH_SECRET is the example of .env.example');
});

test('nginx is given a value for each name of its template', () => {
  const lines = readFileSync('nginx/frontrow.conf.template', 'utf8').split('\n').filter((line) => !line.startsWith('#'));
  const names = [...lines.join('\n').matchAll(/\$\{([A-Z_0-9]+)\}/g)].map(([, name]) => name!);
  expect([...new Set(names)].sort()).toEqual(Object.keys(compose.services['nginx']!.environment!).sort());
});

describe('built as the Dockerfile says and run as the compose file says', () => {
  const folder = mkdtempSync(join(tmpdir(), 'frontrow-compose-'));
  const processes: ChildProcess[] = [];
  const urls: string[] = [];
  let imageFolder = '';
  let image: ReturnType<typeof buildImage>;
  let stores: TcpStores;
  let nginx: ServerProcess;
  let front: GraphqlClient;
  let app: App;
  let concert: BuiltConcert;
  let buyer: Buyer;

  beforeAll(async () => {
    mkdirSync('.data', { recursive: true, mode: 0o700 });
    // Beside the packages: hard links do not reach into another file system, as /tmp may be.
    imageFolder = makeRunFolder('.data', 'image-');
    image = buildImage(resolve(imageFolder));
    stores = await startComposeStores(compose, folder, secrets.MARIADB_PASSWORD);
    for (const name of APP_SERVICES) urls.push(await startService(name));
    const port = await freePort();
    const [api1, api2] = urls.slice(0, 2).map((url) => new URL(url).host);
    nginx = await startNginx(readFileSync('nginx/frontrow.conf.template', 'utf8'), { NGINX_LISTEN: `127.0.0.1:${port}`, API_1: api1!, API_2: api2! }, join(folder, 'nginx'));
    front = graphqlClient(`http://127.0.0.1:${port}`);
    await eventually(() => fetch(`${front.url}/health/live`).then((answer) => answer.ok, () => false), 'nginx');
    const environment = environmentOf('api-1');
    app = await createApp(readConfig(environment), { database: { url: environment['DATABASE_URL']! }, redis: environment['REDIS_URL']! }, pino({ level: 'silent' }));
    const build = new Builder(app);
    [concert, buyer] = [await build.concert({ seats: 10 }), await build.buyer({ balance: 50_000 })];
  }, 120_000);
  afterAll(async () => {
    await app?.close();
    await Promise.all(processes.map(stopped));
    await Promise.all([nginx, ...(stores?.stop ?? [])].filter(Boolean).map(stopServer));
    for (const made of [folder, imageFolder].filter(Boolean)) rmSync(made, { recursive: true, force: true });
  });

  /** The compose file's, with the addresses of this machine for the names of its network. */
  const environmentOf = (name: string): Record<string, string> => {
    const given = Object.entries(compose.services[name]!.environment!).map(([key, value]) => [key, value.replace('mariadb:3306', stores.databaseHost).replace('redis:6379', stores.redisHost)]);
    return { ...(Object.fromEntries(given) as Record<string, string>), PORT: '0', HOST: '127.0.0.1' };
  };

  async function startService(name: string): Promise<string> {
    const [program, ...args] = image.command;
    expect(program).toBe('node');
    const child = spawn(process.execPath, args, { cwd: image.app, env: { PATH: process.env['PATH'], ...STOPS_WITH_PARENT, ...environmentOf(name) }, stdio: ['ignore', 'pipe', 'inherit'] });
    processes.push(child);
    for await (const line of createInterface({ input: child.stdout })) {
      const [url] = /http:\/\/\S+/.exec(line) ?? [];
      if (url) return url;
    }
    throw new Error(`${name} did not start.`);
  }

  test('the image holds no development packages, no second Node and no sources', () => {
    expect(readdirSync(image.app).sort()).toEqual(['dist', 'node_modules', 'package.json']);
    const packages = readdirSync(join(image.app, 'node_modules'));
    expect(packages.filter((name) => /^(jest|typescript|tsx|esbuild|graphiql|node-linux-.*)$/.test(name))).toEqual([]);
    expect(packages).toEqual(expect.arrayContaining(['fastify', 'bullmq', 'graphql']));
  });

  test("the image's health check tells a healthy process from none", async () => {
    const check = (port: string): number | null => spawnSync(process.execPath, image.healthcheck.slice(1), { env: { PORT: port } }).status;
    expect(check(new URL(urls[0]!).port)).toBe(0);
    expect(check(String(await freePort()))).toBe(1);
  });

  test('O1, O2: the sale through nginx, over HTTP and websocket, with two APIs and a worker', async () => {
    const join_ = await front.raw('mutation ($id: ID!) { joinQueue(concertId: $id) { token } }', { id: concert.id }, buyer);
    const credentials = { ...buyer, queueToken: join_.data.joinQueue.token as string };
    const client = websocketClient(front.url, credentials);
    const query = 'subscription ($id: ID!) { queuePosition(concertId: $id) { status } }';
    for await (const { data } of client.iterate<any>({ query, variables: { id: concert.id } })) if (data.queuePosition.status === 'ACTIVE') break;
    await client.dispose();
    const reserve = 'mutation ($input: ReserveInput!) { reserve(input: $input) { __typename ... on Reservation { id } } }';
    const held = await front.raw(reserve, { input: { scheduleId: concert.scheduleId, seatNumbers: [1, 2] } }, credentials);
    expect(held.data.reserve.__typename).toBe('Reservation');
    const pay = 'mutation ($input: PayInput!) { pay(input: $input) { __typename ... on Payment { status balance } } }';
    const paid = await front.raw(pay, { input: { reservationId: held.data.reserve.id } }, credentials);
    expect(paid.data.pay).toEqual({ __typename: 'Payment', status: 'PAID', balance: 30_000 });
  });

  test('the first admin is made by a command in a container', async () => {
    const { status, stderr } = spawnSync(process.execPath, ['dist/promote.js', buyer.email], { cwd: image.app, encoding: 'utf8', env: environmentOf('worker') });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect((await app.transactions.fork().findOneOrFail(User, { id: buyer.id })).role).toBe('ADMIN');
  });

  test('both APIs are asked', async () => {
    const requests = async (url: string): Promise<number> =>
      [...(await (await fetch(`${url}/metrics`)).text()).matchAll(/^\w*(?:requests|operations)_total\{[^}]*\} (\d+)/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
    const before = await Promise.all(urls.slice(0, 2).map(requests));
    await Promise.all(Array.from({ length: 20 }, () => front.raw('{ now }', {})));
    const after = await Promise.all(urls.slice(0, 2).map(requests));
    for (const [index, count] of after.entries()) expect(count).toBeGreaterThan(before[index]!);
  });

  test('an answer carries the request id; metrics, GraphiQL and introspection are not for the outside', async () => {
    const answer = await fetch(`${front.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"query":"{ __schema { queryType { name } } }"}' });
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/);
    expect(JSON.stringify(await answer.json())).toContain('errors');
    for (const path of ['/metrics', '/graphiql']) {
      const refused = await fetch(front.url + path);
      expect({ path, status: refused.status, body: await refused.json() }).toMatchObject({ path, status: 404, body: { errors: [{ extensions: { code: 'NOT_FOUND' } }] } });
    }
  });

  test('a body above 64 KiB is refused with a JSON error', async () => {
    const answer = await fetch(`${front.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query: `{ now } # ${'x'.repeat(70_000)}` }) });
    expect(answer.status).toBe(413);
    expect(((await answer.json()) as Answer<never>).errors![0]!.extensions.code).toBe('BAD_USER_INPUT');
  });

  test('with one API gone the other answers; with both gone nginx says so in JSON', async () => {
    await stopped(processes[0]!);
    for (let count = 0; count < 5; count += 1) expect((await front.raw('{ currency }', {})).data.currency).toBe('KRW');
    await stopped(processes[1]!);
    const answer = await front.raw('{ currency }', {});
    expect(answer).toMatchObject({ status: 503, errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE', retryAfterSeconds: 5 } }] });
  });
});

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}
