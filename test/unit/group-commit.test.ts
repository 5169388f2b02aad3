import { OptimisticLockError } from '@mikro-orm/mysql';
import { remainingMs, withDeadline, workedOn, workingOn } from '../../src/domain/deadline.js';
import { ALONE_MAX, BATCH_MAX, BATCH_MIN_BESIDE, BATCHES_MAX, GroupCommit, WAITING_MAX, type Outcome, type Touching } from '../../src/services/group-commit.js';

interface Asked extends Touching {
  name: string;
}

const asked = (name: string, ...touches: string[]): Asked => ({ name, touches: touches.length > 0 ? touches : [name] });
const rolledBack = () => Object.assign(new Error('constraint'), { errno: 1062 });
const deadlock = () => Object.assign(new Error('deadlock'), { errno: 1213 });
const answered = (requests: readonly Asked[]): Outcome<string>[] => requests.map(({ name }) => ({ answer: `${name} done` }));

/** A writer that notes its transactions: names of their requests, those alone in brackets. Each waits until it is let go. */
function held(write: (requests: readonly Asked[], alone: boolean) => readonly Outcome<string>[] = answered) {
  const transactions: string[] = [];
  const gates: (() => void)[] = [];
  const commits = new GroupCommit<Asked, string>(async (requests, alone) => {
    const names = requests.map(({ name }) => name).join(' ');
    transactions.push(alone ? `(${names})` : names);
    await new Promise<void>((resolve) => gates.push(resolve));
    return write(requests, alone);
  });
  /** Lets the oldest go; with `all` also those that come then. */
  const letGo = () => gates.shift()!();
  const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
  const finish = async (all: Promise<unknown>): Promise<void> => {
    const state = { over: false };
    void all.then(() => (state.over = true), () => (state.over = true));
    while (!state.over) {
      while (gates.length > 0) letGo();
      await turn();
    }
  };
  return { commits, transactions, gates, letGo, turn, finish };
}

test('V6: requests of one turn go together, those that come meanwhile go with the next, in the order of their arrival', async () => {
  const { commits, transactions, letGo, turn, finish } = held();
  const first = ['a', 'b', 'c'].map((name) => commits.submit(asked(name)));
  await turn();
  const second = ['d', 'e'].map((name) => commits.submit(asked(name)));
  await turn();
  expect(transactions).toEqual(['a b c']);
  letGo();
  expect(await Promise.all(first)).toEqual(['a done', 'b done', 'c done']);
  await finish(Promise.all(second));
  expect(transactions).toEqual(['a b c', 'd e']);
});

test('V6: who touches what another of the batch touches comes with the next, and who touches what that one does waits behind it', async () => {
  const { commits, transactions, finish } = held();
  const all = [asked('a', 'user 1'), asked('b', 'user 1', 'seat 1'), asked('c', 'seat 1'), asked('d', 'user 2')].map((one) => commits.submit(one));
  await finish(Promise.all(all));
  expect(transactions).toEqual(['a d', 'b', 'c']);
});

test(`V6: many go in shares, ${BATCHES_MAX} of them under way at once; who comes then waits for the end of one`, async () => {
  const { commits, transactions, letGo, turn, finish } = held();
  const submit = (name: string, count: number) => Array.from({ length: count }, (_, index) => commits.submit(asked(`${name}${index}`)));
  const sizes = () => transactions.map((names) => names.split(' ').length);
  const first = submit('a', BATCHES_MAX * BATCH_MIN_BESIDE);
  await turn();
  await turn();
  expect(sizes()).toEqual(Array(BATCHES_MAX).fill(BATCH_MIN_BESIDE));
  const later = submit('b', BATCH_MIN_BESIDE);
  await turn();
  expect(sizes()).toHaveLength(BATCHES_MAX);
  letGo();
  await Promise.all(first.slice(0, BATCH_MIN_BESIDE));
  await turn();
  expect(sizes()).toHaveLength(BATCHES_MAX + 1);
  await finish(Promise.all([...first, ...later]));
});

test(`V6: fewer than ${BATCH_MIN_BESIDE} wait for the one that is under way, and so does who touches what it touches`, async () => {
  const { commits, transactions, turn, finish } = held();
  const first = commits.submit(asked('a', 'user 1'));
  await turn();
  const few = Array.from({ length: BATCH_MIN_BESIDE - 1 }, (_, index) => commits.submit(asked(`few${index}`)));
  await turn();
  expect(transactions).toEqual(['a']);
  const behind = commits.submit(asked('behind', 'user 1'));
  await turn();
  await turn();
  expect(transactions).toHaveLength(2);
  expect(transactions[1]).not.toContain('behind');
  await finish(Promise.all([first, ...few, behind]));
  expect(transactions[2]).toBe('behind');
});

test(`V6: a batch has at most ${BATCH_MAX} requests`, async () => {
  const { commits, transactions, finish } = held();
  await finish(Promise.all(Array.from({ length: 2 * BATCH_MAX + 1 }, (_, index) => commits.submit(asked(String(index))))));
  expect(transactions.map((names) => names.split(' ').length)).toEqual([BATCH_MAX, BATCH_MAX, 1]);
});

test(`V6: who comes while ${WAITING_MAX} have no outcome yet is turned away, and after them is not`, async () => {
  const { commits, finish } = held();
  const all = Array.from({ length: WAITING_MAX }, (_, index) => commits.submit(asked(String(index))));
  await expect(commits.submit(asked('late'))).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  await finish(Promise.all(all));
  const again = commits.submit(asked('again'));
  await finish(again);
  expect(await again).toBe('again done');
});

test('V6: one whose time is over before its turn comes is not written', async () => {
  const { commits, transactions, finish } = held();
  const first = commits.submit(asked('a'));
  const late = withDeadline(0, () => commits.submit(asked('late')));
  const all = Promise.allSettled([first, late]);
  await finish(all);
  expect(await all).toMatchObject([{ value: 'a done' }, { reason: { code: 'SERVICE_UNAVAILABLE' } }]);
  expect(transactions).toEqual(['a']);
});

test('P1: one that would have to wait for a lock is done again alone, and keeps nobody: neither its batch nor the next', async () => {
  const { commits, transactions, gates, letGo, turn, finish } = held((requests, alone) => (alone ? answered(requests) : requests.map(({ name }) => (name === 'locked' ? 'aside' : { answer: `${name} done` }))));
  const locked = commits.submit(asked('locked', 'user 1'));
  const beside = commits.submit(asked('beside'));
  await turn();
  letGo();
  expect(await beside).toBe('beside done');
  const behind = commits.submit(asked('behind', 'user 1'));
  const next = commits.submit(asked('next'));
  await turn();
  expect(transactions).toEqual(['locked beside', '(locked)', 'next']);
  // The one that is alone still waits.
  gates.splice(1, 1)[0]!();
  expect(await next).toBe('next done');
  await turn();
  expect(transactions).toHaveLength(3);
  await finish(Promise.all([locked, behind]));
  expect(transactions.slice(3)).toEqual(['behind']);
});

test(`P1: at most ${ALONE_MAX} are alone at once`, async () => {
  const { commits, transactions, letGo, turn, finish } = held((requests, alone) => (alone ? answered(requests) : requests.map(() => 'aside')));
  const all = Array.from({ length: ALONE_MAX + 2 }, (_, index) => commits.submit(asked(String(index))));
  await turn();
  letGo();
  await turn();
  expect(transactions).toHaveLength(1 + ALONE_MAX);
  await finish(Promise.all(all));
  expect(transactions).toHaveLength(1 + ALONE_MAX + 2);
});

describe('P1: one that is alone and does not get its lock in a short time', () => {
  const cutShort = () => Object.assign(new Error('too long'), { errno: 1969 });

  test('waits behind the others, who take turns with those that were not tried yet', async () => {
    let locked = true;
    const { commits, transactions, letGo, turn, finish } = held((requests, alone) => {
      if (!alone) return requests.map(() => 'aside');
      if (locked && requests[0]!.name.startsWith('locked')) throw cutShort();
      return answered(requests);
    });
    const stuck = Array.from({ length: 2 * ALONE_MAX }, (_, index) => commits.submit(asked(`locked${index}`)));
    await turn();
    letGo();
    const later = commits.submit(asked('later'));
    await turn();
    for (let gates = 0; gates < 5 * ALONE_MAX; gates += 1) {
      letGo();
      await turn();
    }
    expect(await later).toBe('later done');
    locked = false;
    await finish(Promise.all(stuck));
    expect(await Promise.all(stuck)).toHaveLength(2 * ALONE_MAX);
    expect(transactions.filter((names) => names === '(later)')).toHaveLength(1);
  });

  test('is turned away when nobody waits for it any more', async () => {
    const { commits, finish } = held((requests, alone) => {
      if (alone) throw cutShort();
      return requests.map(() => 'aside');
    });
    const late = withDeadline(50, () => commits.submit(asked('late')));
    await finish(late);
    await expect(late).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  });
});

describe('P1: a batch that fails', () => {
  const failing = (error: () => Error) =>
    held((requests) => {
      if (requests.some(({ name }) => name === 'bad')) throw error();
      return answered(requests);
    });

  test.each([['a constraint', rolledBack], ['a deadlock', deadlock], ['a stale version', () => OptimisticLockError.lockFailed('Wallet')]])('by %s is done again, each alone: only whose fault it was fails', async (_, error) => {
    const { commits, transactions, finish } = failing(error);
    const all = Promise.allSettled(['a', 'bad', 'b'].map((name) => commits.submit(asked(name))));
    await finish(all);
    expect(await all).toMatchObject([{ value: 'a done' }, { status: 'rejected' }, { value: 'b done' }]);
    expect(transactions).toEqual(['a bad b', '(a)', '(bad)', '(b)']);
  });

  test('in a way that may hide a commit is not done again: nobody knows', async () => {
    const { commits, transactions, finish } = failing(() => Object.assign(new Error('lost'), { errno: -104 }));
    const all = Promise.allSettled(['a', 'bad'].map((name) => commits.submit(asked(name))));
    await finish(all);
    expect(await all).toMatchObject([{ reason: { message: 'lost' } }, { reason: { message: 'lost' } }]);
    expect(transactions).toEqual(['a bad']);
  });

  test('with one request has its own error at once, unless it is worth another try', async () => {
    for (const [error, expected] of [[rolledBack, ['bad']], [deadlock, ['bad', '(bad)']]] as const) {
      const { commits, transactions, finish } = failing(error);
      const one = commits.submit(asked('bad'));
      await finish(one);
      await expect(one).rejects.toThrow();
      expect(transactions).toEqual(expected);
    }
  });
});

test('O2: who closes waits for those that are under way, and takes nobody new', async () => {
  const { commits, finish } = held();
  const under = commits.submit(asked('a'));
  const closed = commits.close();
  await expect(commits.submit(asked('b'))).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  await finish(closed);
  expect(await under).toBe('a done');
});

test('a batch is written as its first request, as long as anybody waits; who is alone as himself, as long as he waits', async () => {
  const written: { on: unknown; ms: number }[] = [];
  const commits = new GroupCommit<Asked, string>(async (requests, alone) => {
    written.push({ on: workedOn(), ms: remainingMs() });
    return alone ? answered(requests) : requests.map(() => 'aside' as const);
  });
  const [brief, long] = [10_000, 60_000];
  await Promise.all([workingOn('first', brief, () => commits.submit(asked('a'))), workingOn('second', long, () => commits.submit(asked('b')))]);
  expect(written.map(({ on }) => on)).toEqual(['first', 'first', 'second']);
  const within = ({ ms }: { ms: number }, most: number): boolean => ms > most / 2 && ms <= most;
  expect([within(written[0]!, long), within(written[1]!, brief), within(written[2]!, long)]).toEqual([true, true, true]);
});
