/**
 * What clients did and what they were answered, in the order of real time. `fail` is a definite answer that nothing was done; whatever may hide a
 * commit (a broken connection, a timeout, an unavailable service) is `unknown`.
 */
export type Outcome = 'ok' | 'fail' | 'unknown';

/** One call of one client. Calls that repeat an unknown one are operations of their own, with the same `key`. */
export interface Operation {
  readonly index: number;
  /** Which client. */
  readonly process: string;
  /** Which process of Frontrow was asked. */
  readonly node: string;
  readonly name: string;
  /** What the effect can be known by again: the idempotency key, the reservation, the user and seats. */
  readonly key: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** Milliseconds since the history began, monotonic. */
  readonly invokedAt: number;
  /** Null while it is under way. */
  endedAt: number | null;
  /** Null while it is under way: judged as unknown. */
  outcome: Outcome | null;
  /** Of `ok`: what was answered, as far as the checks need it. Of `fail`: the refusal. */
  value?: unknown;
  /** Of `fail` and `unknown`: the refusal's name, the error's code or what broke. */
  code?: string;
}

export interface Invocation {
  process: string;
  node: string;
  name: string;
  key?: string;
  args?: Record<string, unknown>;
}

export type Count = Record<Outcome, number>;

export class History {
  /** Wall clock of time 0, for times that the database wrote. */
  readonly beganAt = Date.now();
  readonly #zero = performance.now();
  readonly #operations: Operation[] = [];

  get operations(): readonly Operation[] {
    return this.#operations;
  }

  /** Milliseconds since the history began. */
  now(): number {
    return performance.now() - this.#zero;
  }

  invoke({ process, node, name, key = '', args = {} }: Invocation): Operation {
    const operation: Operation = { index: this.#operations.length, process, node, name, key, args, invokedAt: this.now(), endedAt: null, outcome: null };
    this.#operations.push(operation);
    return operation;
  }

  ok(operation: Operation, value?: unknown): void {
    this.#end(operation, 'ok', value);
  }

  fail(operation: Operation, code: string, value?: unknown): void {
    this.#end(operation, 'fail', value, code);
  }

  unknown(operation: Operation, code: string): void {
    this.#end(operation, 'unknown', undefined, code);
  }

  named(...names: string[]): Operation[] {
    return this.#operations.filter(({ name }) => names.includes(name));
  }

  /** How each operation ended, by its name. */
  counts(): Record<string, Count> {
    const counts: Record<string, Count> = {};
    for (const { name, outcome } of this.#operations) (counts[name] ??= { ok: 0, fail: 0, unknown: 0 })[outcome ?? 'unknown'] += 1;
    return counts;
  }

  /** Why operations failed or are unknown, by `name code`. */
  codes(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { name, code } of this.#operations) if (code) counts[`${name} ${code}`] = (counts[`${name} ${code}`] ?? 0) + 1;
    return counts;
  }

  #end(operation: Operation, outcome: Outcome, value: unknown, code?: string): void {
    if (operation.outcome !== null) throw new Error(`Operation ${operation.index} has ended before: ${lineOf(operation)}`);
    operation.endedAt = this.now();
    operation.outcome = outcome;
    if (value !== undefined) operation.value = value;
    if (code !== undefined) operation.code = code;
  }
}

const seconds = (ms: number): string => (ms / 1000).toFixed(3);

/** `  12.034– 12.051 s  reserve buyer-7 → api-2 {"seats":[3]}: fail SeatsUnavailable {"seatNumbers":[3]}` */
export function lineOf({ process, node, name, args, invokedAt, endedAt, outcome, code, value }: Operation): string {
  const times = `${seconds(invokedAt).padStart(8)}–${endedAt === null ? ' '.repeat(8) : seconds(endedAt).padStart(8)} s`;
  const end = [outcome ?? 'under way', code, value === undefined ? undefined : JSON.stringify(value)].filter(Boolean).join(' ');
  return `${times}  ${name} ${process} → ${node} ${JSON.stringify(args)}: ${end}`;
}
