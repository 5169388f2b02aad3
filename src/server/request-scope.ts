import { AsyncLocalStorage } from 'node:async_hooks';

/** What belongs to one operation from its arrival to its answer, however deep in the call. */
export interface RequestScope {
  requestId: string;
  /** For metrics: never text of the client. */
  operation: { type: string; field: string };
  /** Code of the first error that was answered. */
  code: string;
  /** Faults already logged: one broken loader fails a hundred fields with one and the same error. */
  faults: Set<unknown>;
}

const storage = new AsyncLocalStorage<RequestScope>();

export const currentScope = (): RequestScope | undefined => storage.getStore();

export const newScope = (requestId: string): RequestScope => ({
  requestId,
  operation: { type: 'invalid', field: 'invalid' },
  code: 'OK',
  faults: new Set(),
});

export const inScope = <T>(scope: RequestScope, work: () => T): T => storage.run(scope, work);
