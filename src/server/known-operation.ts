import { execute, getVariableValues, type DocumentNode, type ExecutionResult, type GraphQLError, type GraphQLSchema, type OperationDefinitionNode } from 'graphql';
import { compileQuery, isCompiledQuery, type CompiledQuery } from 'graphql-jit';
import type { Context } from '../context.js';
import type { CompileBudget } from './compile-budget.js';
import { labelOf } from './operation-rules.js';
import { sharedRootOf, type SharedRoot } from './shared-fields.js';

/** Compiling costs as much as running it a few times: one that comes once is not compiled. */
export const COMPILED_FROM_USE = 2;

export type Variables = Readonly<Record<string, unknown>>;
type Result = ExecutionResult | Promise<ExecutionResult>;

/** An operation of a document that was parsed and found valid before; runs without doing that again. */
export class KnownOperation {
  readonly label: { type: string; field: string };
  /** Null for one whose answer is its sender's alone. */
  readonly sharedRoot: SharedRoot | null;
  #uses = 0;
  /** Null where it cannot be compiled, undefined as long as nobody has tried. */
  #compiled: CompiledQuery | null | undefined;

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly document: DocumentNode,
    readonly definition: OperationDefinitionNode,
    /** Null for one of our own. */
    private readonly budget: CompileBudget | null,
  ) {
    this.label = labelOf(schema, definition);
    this.sharedRoot = sharedRootOf(schema, document, definition);
  }

  get isQuery(): boolean {
    return this.definition.operation === 'query';
  }

  /** The variables as the operation declares them, or what is wrong with them: in the words of graphql-js, so that both ways refuse them alike. */
  coerce(given: Variables): { coerced: Variables; errors?: never } | { coerced?: never; errors: readonly GraphQLError[] } {
    return getVariableValues(this.schema, this.definition.variableDefinitions ?? [], given) as ReturnType<KnownOperation['coerce']>;
  }

  /** With what the client has sent, only after `coerce` has found it good. */
  run(variableValues: Variables, contextValue: Context): Result {
    const compiled = this.#forUse();
    if (!compiled) return this.#interpret(variableValues, contextValue);
    const result = compiled.query(undefined, contextValue, variableValues);
    return isPromise(result) ? result.then((settled) => this.#orInterpret(settled, variableValues, contextValue)) : this.#orInterpret(result, variableValues, contextValue);
  }

  #forUse(): CompiledQuery | null {
    this.#uses += 1;
    if (this.#compiled === undefined && this.#uses >= COMPILED_FROM_USE) this.#compiled = this.budget ? this.budget.spend(() => this.#compile()) : this.#compile();
    return this.#compiled ?? null;
  }

  #compile(): CompiledQuery | null {
    const compiled = compileQuery(this.schema, this.document, this.definition.name?.value, { disablingCapturingStackErrors: true });
    return isCompiledQuery(compiled) ? compiled : null;
  }

  /** Without data nothing has run: the compiled code has refused variables that are good. */
  #orInterpret(result: ExecutionResult, variableValues: Variables, contextValue: Context): Result {
    return 'data' in result ? result : this.#interpret(variableValues, contextValue);
  }

  #interpret(variableValues: Variables, contextValue: Context): Result {
    return execute({ schema: this.schema, document: this.document, operationName: this.definition.name?.value, variableValues, contextValue }) as Result;
  }
}

const isPromise = <T>(value: T | Promise<T>): value is Promise<T> => typeof (value as Promise<T>)?.then === 'function';
