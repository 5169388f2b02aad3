import { ReadSet } from '../../src/domain/read-set.js';
import type { KnownOperation } from '../../src/server/known-operation.js';
import { SHARED_ANSWERS_MAX_BYTES, SHARED_VARIABLES_MAX_LENGTH, SharedAnswers, type SharedBytes } from '../../src/server/shared-answers.js';

const operation = {} as KnownOperation;

function read(source: { version: number }, text = 'answer', validUntil = Infinity): SharedBytes {
  const reads = new ReadSet();
  reads.depend(source, validUntil);
  return { body: Buffer.from(text), reads };
}

test('an answer is given again until what it was read from changes, or its time is over', async () => {
  const answer = new SharedAnswers().of(operation, {});
  const source = { version: 1 };
  expect(answer.current()).toBeUndefined();
  await answer.shared(async () => read(source));
  expect(String(answer.current())).toBe('answer');
  source.version += 1;
  expect(answer.current()).toBeUndefined();
  await answer.shared(async () => read(source, 'late', performance.now()));
  expect(answer.current()).toBeUndefined();
});

test('a thousand who come at once cause one reading', async () => {
  const answer = new SharedAnswers().of(operation, {});
  let readings = 0;
  const making = Promise.withResolvers<SharedBytes>();
  const asked = Array.from({ length: 1000 }, () => answer.shared(() => ((readings += 1), making.promise)));
  making.resolve(read({ version: 1 }));
  expect(new Set((await Promise.all(asked)).map(String))).toEqual(new Set(['answer']));
  expect(readings).toBe(1);
});

test('who waited for an answer whose time is over by then gets it all the same, and nobody after', async () => {
  const answer = new SharedAnswers().of(operation, {});
  const making = Promise.withResolvers<SharedBytes>();
  const asked = [answer.shared(() => making.promise), answer.shared(() => Promise.reject(new Error('not asked')))];
  making.resolve(read({ version: 1 }, 'answer', performance.now()));
  expect((await Promise.all(asked)).map(String)).toEqual(['answer', 'answer']);
  expect(answer.current()).toBeUndefined();
});

test('who comes while it is read gets nothing that has changed since: it may be their own change', async () => {
  const answer = new SharedAnswers().of(operation, {});
  const source = { version: 1 };
  const making = Promise.withResolvers<SharedBytes>();
  const first = answer.shared(() => making.promise);
  const bytes = read(source);
  source.version += 1;
  const second = answer.shared(async () => read(source, 'anew'));
  making.resolve(bytes);
  expect(String(await first)).toBe('answer');
  expect(String(await second)).toBe('anew');
  expect(String(answer.current())).toBe('anew');
});

test('a thousand who come while it is read and changes cause one more reading, whose answer they get though it has changed by then too', async () => {
  const answer = new SharedAnswers().of(operation, {});
  const source = { version: 1 };
  const makings = [Promise.withResolvers<SharedBytes>(), Promise.withResolvers<SharedBytes>()];
  let readings = 0;
  const ask = () => answer.shared(() => makings[readings++]!.promise);
  const first = ask();
  const asked = Array.from({ length: 1000 }, ask);
  const outOfDate = (text: string): SharedBytes => {
    const bytes = read(source, text);
    source.version += 1;
    return bytes;
  };
  makings[0]!.resolve(outOfDate('answer'));
  expect(String(await first)).toBe('answer');
  makings[1]!.resolve(outOfDate('anew'));
  expect(new Set((await Promise.all(asked)).map(String))).toEqual(new Set(['anew']));
  expect(readings).toBe(2);
  expect(answer.current()).toBeUndefined();
});

test('what cannot be shared is not kept, and a reading that fails leaves the others to themselves', async () => {
  const answers = new SharedAnswers();
  const answer = answers.of(operation, {});
  expect(await answer.shared(async () => null)).toBeNull();
  expect(String(await answer.shared(async () => ({ body: Buffer.from('x'), reads: new ReadSet() })))).toBe('x');
  expect(answer.current()).toBeUndefined();
  const [first, second] = await Promise.allSettled([answer.shared(() => Promise.reject(new Error('away'))), answer.shared(async () => null)]);
  expect([first.status, second.status]).toEqual(['rejected', 'fulfilled']);
});

test('answers are found again by operation and variables', async () => {
  const answers = new SharedAnswers();
  await answers.of(operation, { id: 1 }).shared(async () => ({ body: Buffer.from('one'), reads: null }));
  expect(String(answers.of(operation, { id: 1 }).current())).toBe('one');
  expect(answers.of(operation, { id: 2 }).current()).toBeUndefined();
  expect(answers.of({} as KnownOperation, { id: 1 }).current()).toBeUndefined();
});

test('all that are kept take no more than the limit: the longest kept go first, and one that is too large is never kept', async () => {
  const answers = new SharedAnswers();
  const body = Buffer.alloc(SHARED_ANSWERS_MAX_BYTES / 4 - 100);
  const kept = await Promise.all(
    [1, 2, 3, 4, 5].map(async (id) => {
      const answer = answers.of(operation, { id });
      await answer.shared(async () => ({ body, reads: null }));
      return answer;
    }),
  );
  expect(kept.map((answer) => answer.current() !== undefined)).toEqual([false, true, true, true, true]);
  const large = answers.of(operation, { id: 'large' });
  expect(await large.shared(async () => ({ body: Buffer.alloc(SHARED_ANSWERS_MAX_BYTES / 2 + 1), reads: null }))).not.toBeNull();
  expect(large.current()).toBeUndefined();
});

test(`the variables are weighed with their answer, and one of over ${SHARED_VARIABLES_MAX_LENGTH} characters of them is given once and not kept`, async () => {
  const answers = new SharedAnswers();
  const keep = async (id: string, bytes: number) => {
    const answer = answers.of(operation, { id });
    expect(await answer.shared(async () => ({ body: Buffer.alloc(bytes), reads: null }))).toHaveLength(bytes);
    return answer;
  };
  const idOf = (length: number): string => 'x'.repeat(length - JSON.stringify({ id: '' }).length);
  expect((await keep(idOf(SHARED_VARIABLES_MAX_LENGTH), 2)).current()).toBeDefined();
  expect((await keep(idOf(SHARED_VARIABLES_MAX_LENGTH + 1), 2)).current()).toBeUndefined();
  // The bodies alone would fit beside each other.
  const [first, second] = [await keep('first', SHARED_ANSWERS_MAX_BYTES / 2 - 100), await keep('second', SHARED_ANSWERS_MAX_BYTES / 2 - 100)];
  expect([first.current() !== undefined, second.current() !== undefined]).toEqual([true, true]);
  const third = await keep('y'.repeat(SHARED_VARIABLES_MAX_LENGTH - 100), 2);
  expect([first.current() !== undefined, second.current() !== undefined, third.current() !== undefined]).toEqual([false, true, true]);
});
