import { History } from '../../drills/support/history.js';
import { checkLine, type AdmittedPass } from '../../drills/support/line-model.js';

/** Each kind of disorder in a line is found, and none in one that is in order. */

const CONCERT = 'a concert';

let history: History;

beforeEach(() => (history = new History()));

const join = (user: string, place: number): void => history.ok(history.invoke({ process: user, node: 'api-1', name: 'join', args: { concertId: CONCERT } }), { place, status: 'WAITING', position: place });
const look = (user: string, status: string): void => history.ok(history.invoke({ process: user, node: 'api-1', name: 'position', args: { concertId: CONCERT } }), { status, position: 1 });
const kinds = (passes: AdmittedPass[] = []): string[] => checkLine(history, CONCERT, passes).map(({ kind }) => kind);

function threeCome(): void {
  join('a', 1);
  join('b', 2);
  join('c', 3);
}

test('a line in order has nothing to complain of, also when a batch is admitted at once', () => {
  threeCome();
  look('b', 'WAITING');
  look('b', 'ACTIVE');
  look('a', 'ACTIVE');
  look('c', 'WAITING');
  expect(kinds([{ userId: 'a', place: 1 }, { userId: 'b', place: 2 }])).toEqual([]);
});

test('a place behind that of one who came later is found', () => {
  join('a', 5);
  join('b', 4);
  expect(kinds()).toEqual(['line-order']);
});

test('those who come at the same time may stand in any order', () => {
  const [first, second] = ['a', 'b'].map((process) => history.invoke({ process, node: 'api-1', name: 'join', args: { concertId: CONCERT } }));
  history.ok(first!, { place: 2 });
  history.ok(second!, { place: 1 });
  expect(kinds()).toEqual([]);
});

test('an admission past somebody who waits is found', () => {
  threeCome();
  look('b', 'ACTIVE');
  look('a', 'WAITING');
  look('c', 'WAITING');
  expect(kinds()).toEqual(['admission-order']);
});

test('two admissions of one user are found', () => {
  threeCome();
  expect(kinds([{ userId: 'a', place: 1 }, { userId: 'a', place: 4 }])).toEqual(['admitted-twice']);
});

test('somebody who was admitted and waits again is found', () => {
  threeCome();
  look('a', 'ACTIVE');
  look('a', 'WAITING');
  expect(kinds()).toContain('sent-back');
});
