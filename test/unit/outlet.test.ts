import { Outlet, UNFIT, type Sink } from '../../src/domain/outlet.js';

/** Keeps the latest number. */
class Latest extends Outlet<number> {
  #untaken: number | null = null;
  hasLeft = 0;

  put(number: number): void {
    if (this.isOver) return;
    this.#untaken = number;
    this.serve();
  }

  finish(error?: unknown): void {
    this.end(error);
  }

  protected override take(): number | null {
    const number = this.#untaken;
    this.#untaken = null;
    return number;
  }

  protected override left(): void {
    this.hasLeft += 1;
  }
}

const OVER = { value: undefined, done: true };

function withSink(sink: Sink<number>): Latest {
  const outlet = new Latest();
  outlet.deliverTo(sink);
  return outlet;
}

test('without a sink each event answers who waits; what nobody waited for is kept', async () => {
  const outlet = new Latest();
  const next = outlet.next();
  outlet.put(1);
  expect(await next).toEqual({ value: 1, done: false });
  outlet.put(2);
  outlet.put(3);
  expect(await outlet.next()).toEqual({ value: 3, done: false });
});

test('with a sink events go straight into it, from the first `next` on and not before', async () => {
  const seen: number[] = [];
  const outlet = withSink((event) => void seen.push(event));
  outlet.put(1);
  expect(seen).toEqual([]);
  const next = outlet.next();
  outlet.put(2);
  outlet.put(3);
  expect(seen).toEqual([1, 2, 3]);
  outlet.finish();
  expect(await next).toEqual(OVER);
  outlet.put(4);
  expect(seen).toEqual([1, 2, 3]);
});

test('what the sink leaves is the answer of `next`', async () => {
  const outlet = withSink((event) => (event % 2 === 0 ? UNFIT : undefined));
  const next = outlet.next();
  outlet.put(1);
  outlet.put(2);
  expect(await next).toEqual({ value: 2, done: false });
});

test('while one event is on its way the next ones wait, and the end after them', async () => {
  const seen: number[] = [];
  const through: (() => void)[] = [];
  const outlet = withSink((event) => {
    seen.push(event);
    return new Promise((resolve) => through.push(resolve));
  });
  const next = outlet.next();
  for (const number of [1, 2, 3]) outlet.put(number);
  outlet.finish(new Error('no more'));
  expect(seen).toEqual([1]);
  through[0]!();
  await Promise.resolve();
  expect(seen).toEqual([1, 3]);
  through[1]!();
  await expect(next).rejects.toThrow('no more');
  expect(await outlet.next()).toEqual(OVER);
  expect(outlet.hasLeft).toBe(1);
});

test.each([
  ['throws', (): undefined => {
    throw new Error('broken');
  }],
  ['fails later', (): Promise<void> => Promise.reject(new Error('broken'))],
])('a sink that %s ends this subscription and nothing else', async (_name, sink) => {
  const outlet = withSink(sink);
  const next = outlet.next();
  outlet.put(1);
  await expect(next).rejects.toThrow('broken');
  expect(outlet.hasLeft).toBe(1);
});

test('who goes is told nothing more, whatever is on its way', async () => {
  const outlet = withSink(() => new Promise(() => undefined));
  const next = outlet.next();
  outlet.put(1);
  outlet.put(2);
  await outlet.return();
  expect(await next).toEqual(OVER);
  expect(outlet.hasLeft).toBe(1);
});
