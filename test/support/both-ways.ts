import type { App } from '../../src/app.js';
import type { KnownOperations } from '../../src/server/known-operations.js';

/**
 * The two ways a GraphQL request may go: through Apollo, or ahead of it for a known operation. Whatever a test sends with fetch goes one of them: Apollo's, where
 * the test file was loaded by itself, ahead, where a file of test/integration/ahead has loaded it. Neither changes what is asked, so both must answer alike.
 */
export type Way = 'apollo' | 'ahead';

interface Instance {
  app: App;
  known: KnownOperations;
}

let way: Way = 'apollo';
const instances = new Map<string, Instance>();
const send = globalThis.fetch;

/** Known operations are recognised by the plain type of a JSON body; this one means the same and is not plain. */
const UNCOMMON_JSON = 'application/json; charset="utf-8"';

export const goesAhead = (): boolean => way === 'ahead';

export function goAhead(): void {
  way = 'ahead';
}

/** From now on what goes to this instance goes the file's way. */
export function directed(url: string | null, app: App, known: KnownOperations | null): void {
  if (url && known) instances.set(new URL(url).origin, { app, known });
  globalThis.fetch = directedFetch;
}

/** Sends one request a certain way, whatever the file's is. */
export async function sendBy(wanted: Way, url: string, init: RequestInit): Promise<Response> {
  const instance = instances.get(new URL(url).origin)!;
  const before = await answeredAhead(instance.app);
  const response = await send(url, wanted === 'ahead' ? known(instance, init) : uncommon(init));
  const wentAhead = (await answeredAhead(instance.app)) > before;
  if (wentAhead !== (wanted === 'ahead')) throw new Error(`The request went ${wentAhead ? 'ahead' : 'to Apollo'}.`);
  return response;
}

/** So many operations an instance has answered ahead of Apollo. */
export async function answeredAhead(app: App): Promise<number> {
  const metric = await app.metrics.registry.getSingleMetric('frontrow_operations_ahead_total')!.get();
  return metric.values[0]?.value ?? 0;
}

/** Of all instances of the file. */
export async function allAnsweredAhead(): Promise<number> {
  const counts = await Promise.all([...instances.values()].map(({ app }) => answeredAhead(app)));
  return counts.reduce((sum, count) => sum + count, 0);
}

const directedFetch: typeof fetch = (input, init) => {
  const url = typeof input === 'string' || input instanceof URL ? new URL(input) : undefined;
  const instance = url && instances.get(url.origin);
  if (!instance || url.pathname !== '/graphql' || init?.method !== 'POST') return send(input, init);
  return send(input, goesAhead() ? known(instance, init) : uncommon(init));
};

/** The instance is taught the document first, without running it; one that is not valid stays unknown. */
function known({ known: operations }: Instance, init: RequestInit): RequestInit {
  const query = queryOf(init.body);
  if (query !== undefined) operations.teach(query);
  return init;
}

function uncommon(init: RequestInit): RequestInit {
  const headers = new Headers(init.headers);
  if (headers.get('content-type') === 'application/json') headers.set('content-type', UNCOMMON_JSON);
  return { ...init, headers };
}

function queryOf(body: unknown): string | undefined {
  try {
    const { query } = JSON.parse(String(body)) as { query?: unknown };
    return typeof query === 'string' ? query : undefined;
  } catch {
    return undefined;
  }
}
