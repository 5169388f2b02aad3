import type { GraphQLError } from 'graphql';
import type { Context } from '../context.js';
import { passGuards } from '../resolvers/access.js';
import type { KnownOperation, Variables } from './known-operation.js';
import type { WrittenRows } from './row-answers.js';
import type { SharedAnswer, SharedAnswers } from './shared-answers.js';
import { guardArguments } from './shared-fields.js';

/** A known operation with what it is asked about. */
export class KnownRequest {
  /** What is wrong with the variables. */
  readonly errors: readonly GraphQLError[] | undefined;
  /** Where the answer may be given to others too. */
  readonly shared: SharedAnswer | null = null;
  readonly #guarded: ReturnType<typeof guardArguments> = [];

  constructor(
    readonly operation: KnownOperation,
    readonly variables: Variables,
    answers: SharedAnswers,
  ) {
    const { coerced, errors } = operation.coerce(variables);
    this.errors = errors;
    if (!operation.sharedRoot || !coerced) return;
    try {
      this.#guarded = guardArguments(operation.sharedRoot, coerced);
      this.shared = answers.of(operation, coerced);
    } catch {
      // An argument is not good, which only the operation itself tells in the right words.
    }
  }

  /** The answer written row by row, where it is such a list; null where the operation is to be run. */
  async writeRows(context: Context): Promise<{ body: Buffer; written: WrittenRows } | null> {
    const rows = this.operation.sharedRoot?.rows;
    return rows && this.shared ? rows.write(this.#guarded[0]!.args, context, this.shared.written) : null;
  }

  /** The guards that its fields have, without the fields. Throws, or rejects, as they would; answers at once where it can. */
  passGuards(context: Context): Promise<void> | undefined {
    const waiting: Promise<void>[] = [];
    for (const { field, args } of this.#guarded) {
      const passing = passGuards(field, args, context);
      if (passing) waiting.push(passing);
    }
    return waiting.length === 0 ? undefined : Promise.all(waiting).then(() => undefined);
  }
}
