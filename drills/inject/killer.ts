import { AsyncLocalStorage } from 'node:async_hooks';
import { appendFileSync } from 'node:fs';
import { AFTER_COMMIT, BEFORE_COMMIT, BEFORE_DONE, BEFORE_REPLY, SEAMS, type Seam } from './points.ts';

/** Kills the process it is loaded into at the k-th hit of a point by an operation: as kill -9 would, so nothing that was not yet sent is sent. */

/** What the environment of the process says. Without a point every hit of any is written down and nobody dies. */
export interface Aim {
  point: string | undefined;
  operation: string | undefined;
  hit: number;
  log: string;
}

/** A line of the log. */
export interface Hit {
  operation: string;
  point: string;
  hit: number;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;
type Scope = { operation: { type: string; field: string } };

const jobs = new AsyncLocalStorage<string>();
const counts = new Map<string, number>();
let aim: Aim;
let currentScope: () => Scope | undefined = () => undefined;

export function takeAim(at: Aim): void {
  aim = at;
}

/** The mutation or job on whose behalf this runs; undefined for anything else. */
function operation(): string | undefined {
  const scope = currentScope();
  return jobs.getStore() ?? (scope?.operation.type === 'mutation' ? scope.operation.field : undefined);
}

const isAimedAt = (name: string, point: string): boolean => aim.point === undefined || (aim.point === point && aim.operation === name);

function hit(point: string): void {
  const name = operation();
  if (name === undefined || !isAimedAt(name, point)) return;
  const key = `${name} ${point}`;
  const count = (counts.get(key) ?? 0) + 1;
  counts.set(key, count);
  appendFileSync(aim.log, `${JSON.stringify({ operation: name, point, hit: count } satisfies Hit)}\n`);
  if (aim.point !== undefined && count === aim.hit) process.kill(process.pid, 'SIGKILL');
}

interface Around {
  before?: (self: unknown) => void;
  after?: (self: unknown) => void;
}

function around(inner: Method, { before, after }: Around): Method {
  return async function (this: unknown, ...args: unknown[]) {
    before?.(this);
    const result = await inner.apply(this, args);
    after?.(this);
    return result;
  };
}

function surround(owner: Record<string, Method>, name: string, where: string, hits: Around): void {
  const inner = owner[name];
  if (typeof inner !== 'function') throw new Error(`Fail point: the target is gone. ${where} has no method ${name}.`);
  owner[name] = around(inner, hits);
}

/** For a module's own end: its class or function, and what is to take the function's place. @public */
export function plant(index: number, target: Method): Method {
  const seam = SEAMS[index]!;
  const named = (when: string) => (self: unknown) => hit(`${when} ${labelOf(seam, self)}`);
  const hits: Around = {
    ...(seam.when.includes('before') && { before: named('before') }),
    ...(seam.when.includes('after') && { after: named('after') }),
  };
  const [owner, method] = seam.target.split('.');
  if (method === undefined) return around(target, hits);
  surround(target.prototype as Record<string, Method>, method, owner!, hits);
  return target;
}

const labelOf = ({ label }: Seam, self: unknown): string => (label === 'name of the script' ? (self as { name: string }).name : label);

/** An entity manager, or a transaction of messages. */
type Writing = { flush(): Promise<void> } | object;
type Work = (writing: Writing) => Promise<unknown>;

/** Before the commit everything is judged, and written but for what goes with the commit, and a lone statement is committed by itself; after it nobody was told yet, also not the relay. @public */
export function plantInTransactions(transactions: Method): void {
  const prototype = transactions.prototype as Record<string, (this: object, work: Work) => Promise<unknown>>;
  for (const name of ['run', 'runBriefly']) {
    const inner = prototype[name];
    if (typeof inner !== 'function') throw new Error(`Fail point: the target is gone. Transactions has no method ${name}.`);
    prototype[name] = aroundCommit(inner);
  }
}

function aroundCommit(inner: (this: object, work: Work, ...rest: unknown[]) => Promise<unknown>) {
  return async function (this: object, work: Work, ...rest: unknown[]): Promise<unknown> {
    let committed = false;
    const afterCommit = (): void => {
      if (!committed) hit(AFTER_COMMIT);
      committed = true;
    };
    const { onTold } = this as { onTold: () => void };
    const watched = Object.create(this, {
      onTold: {
        value: () => {
          afterCommit();
          onTold();
        },
      },
    }) as object;
    const result = await inner.call(
      watched,
      async (writing) => {
        const done = await work(writing);
        if (operation() !== undefined && 'flush' in writing) await writing.flush();
        hit(BEFORE_COMMIT);
        return done;
      },
      ...rest,
    );
    afterCommit();
    return result;
  };
}

/** Every answer over HTTP, through Apollo and ahead of it, is there by then and not sent. @public */
export function plantInAnswers(inTime: Method): Method {
  return (app, scope, work, ...rest) => inTime(app, scope, around(work as Method, { after: () => hit(BEFORE_REPLY) }), ...rest);
}

/** Each handler runs as its job's own operation. @public */
export function plantInWorkers(startWorkers: Method): Method {
  return (handlers, ...rest) => {
    const named = Object.entries(handlers as Record<string, Method>).map(([name, handle]) => [
      name,
      (...args: unknown[]) => jobs.run(name, () => around(handle, { after: () => hit(BEFORE_DONE) }).apply(undefined, args)),
    ]);
    return startWorkers(Object.fromEntries(named), ...rest);
  };
}

/** @public */
export function plantScope(ofModule: Method): void {
  currentScope = ofModule as () => Scope | undefined;
}
