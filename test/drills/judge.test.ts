import type { KeptMe } from '../../drills/support/buyer.js';
import { expectAnswersInTime } from '../../drills/support/answer-times.js';
import type { Operation } from '../../drills/support/history.js';
import { runDrill } from '../../drills/support/run-drill.js';
import { compareShown } from '../../drills/support/settle.js';
import { PRICE, Story } from './story.js';

/** What judges a drill beside the model finds what it is there to find. */

describe('what the API shows at the end', () => {
  function bought(): { story: Story; me: KeptMe } {
    const story = new Story();
    story.charge('ann', 2 * PRICE, 10);
    const payment = story.pay(story.hold('ann', [1], 20), 30);
    const [row] = story.final.reservations;
    return { story, me: { balance: PRICE, reservations: [{ ...row!, status: 'CONFIRMED' }], payments: [payment] } };
  }
  const differences = (story: Story, me: KeptMe): string[] => compareShown(new Map([['ann', me]]), story.final).map(({ what }) => what);

  test('is what the rows say', () => {
    const { story, me } = bought();
    expect(differences(story, me)).toEqual([]);
  });

  test('is not another balance, another status, or less than there is', () => {
    const { story, me } = bought();
    expect(differences(story, { ...me, balance: 0 })).toEqual([expect.stringContaining('a balance of 0')]);
    expect(differences(story, { ...me, reservations: [{ ...me.reservations[0]!, status: 'HELD' }] })).toEqual([expect.stringContaining('as HELD, which is CONFIRMED')]);
    expect(differences(story, { ...me, payments: [{ ...me.payments[0]!, id: 'other' }] })).toEqual([expect.stringContaining('which is not there')]);
    expect(differences(story, { ...me, reservations: [] })).toEqual([expect.stringContaining('1 too few')]);
  });
});

describe('answers', () => {
  const answered = (ms: number, outcome: Operation['outcome'] = 'ok', code?: string): Operation => ({
    index: 0, process: 'ann', node: 'api-1', name: 'pay', key: '', args: {}, invokedAt: 0, endedAt: ms, outcome, ...(code ? { code } : {}),
  });
  const kinds = async (operations: Operation[]): Promise<string[]> => {
    const drill = { name: 'sample', proves: '', run: async (run: Parameters<typeof expectAnswersInTime>[0]) => expectAnswersInTime(run, { operations }) };
    return (await runDrill(drill, { seed: 1, scale: 'small' })).violations.map(({ kind }) => kind);
  };

  test('come within the deadline, whatever they say', async () => {
    expect(await kinds([answered(5900), answered(5900, 'unknown', 'SERVICE_UNAVAILABLE'), answered(60_000, 'unknown', 'ECONNRESET')])).toEqual([]);
    expect(await kinds([answered(6100), answered(6100, 'unknown', 'SERVICE_UNAVAILABLE'), answered(6100, 'fail', 'SeatsUnavailable')])).toEqual(['late-answer', 'late-answer', 'late-answer']);
  });

  test('come at all', async () => {
    expect(await kinds([answered(6500, 'unknown', 'TIMEOUT')])).toEqual(['no-answer']);
  });
});
