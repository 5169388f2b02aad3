import { buildSchema, parse, type OperationDefinitionNode } from 'graphql';
import type { Context } from '../../src/context.js';
import { COMPILE_SAVED_MAX_MS, COMPILE_SHARE, CompileBudget } from '../../src/server/compile-budget.js';
import { COMPILED_FROM_USE, KnownOperation } from '../../src/server/known-operation.js';

let now = 0;
const budgetOf = (): CompileBudget => new CompileBudget(() => now);
const work = (ms: number) => (): string => {
  now += ms;
  return 'done';
};

test(`of a long time ${COMPILE_SHARE * 100} % goes into compiling and what was saved, however much is asked for`, () => {
  const budget = budgetOf();
  const [begin, each] = [now, 40];
  let spent = 0;
  while (now < begin + 60_000) {
    if (budget.spend(work(each))) spent += each;
    else now += 1;
  }
  expect(spent).toBeLessThanOrEqual(COMPILE_SAVED_MAX_MS + 60_000 * COMPILE_SHARE + each);
  expect(spent).toBeGreaterThanOrEqual(60_000 * COMPILE_SHARE);
});

test(`no more than ${COMPILE_SAVED_MAX_MS} ms are saved, and work that fails is paid for too`, () => {
  const budget = budgetOf();
  now += 3_600_000;
  expect(() =>
    budget.spend(() => {
      now += COMPILE_SAVED_MAX_MS + 100;
      throw new Error('not compiled');
    }),
  ).toThrow('not compiled');
  expect(budget.spend(work(1))).toBeUndefined();
  now += 100 / COMPILE_SHARE;
  expect(budget.spend(work(1))).toBe('done');
});

describe('an operation', () => {
  const schema = buildSchema('type Query { public: Int }');
  const operationWith = (budget: CompileBudget | null): KnownOperation => {
    const document = parse('{ public }');
    return new KnownOperation(schema, document, document.definitions[0] as OperationDefinitionNode, budget);
  };
  /** graphql-js makes objects without a prototype, compiled code plain ones. */
  const isCompiled = (operation: KnownOperation): boolean => {
    const { data } = operation.run({}, {} as Context) as { data: object };
    expect({ ...data }).toEqual({ public: null });
    return Object.getPrototypeOf(data) !== null;
  };
  const uses = (operation: KnownOperation, count: number): boolean[] => Array.from({ length: count }, () => isCompiled(operation));

  test(`is compiled from use ${COMPILED_FROM_USE} where there is time, or where it is our own`, () => {
    for (const budget of [budgetOf(), null]) expect(uses(operationWith(budget), 4)).toEqual([false, true, true, true]);
  });

  test('is interpreted while the time for compiling is used up, and compiled with the first use after', () => {
    const budget = budgetOf();
    budget.spend(work(COMPILE_SAVED_MAX_MS + 45));
    const operation = operationWith(budget);
    expect(uses(operation, 10).some(Boolean)).toBe(false);
    now += 1000;
    expect(uses(operation, 2)).toEqual([true, true]);
  });
});
