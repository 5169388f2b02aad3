import { v7 as uuid } from 'uuid';
import { DUPLICATE_KEY, errnoOf, isConflict, readSeat, takeSeat, untilAnswered, writeHold, type Answer, type Strategy, type Tools, type Wish } from './strategy.js';

/** Strategies that need nothing but the database. */

const REFUSED = { commit: false, answer: 'REFUSED' } as const;
const HELD = { commit: true, answer: 'HELD' } as const;

/** The row is locked before it is judged; everybody else waits for it. */
export const pessimisticLock = ({ connections }: Tools): Strategy => ({
  buy: (wish) =>
    connections.transaction<Answer>(async (db) => {
      const { id: seatId, status } = await readSeat(db, wish, 'for update');
      if (status !== 'AVAILABLE') return REFUSED;
      const id = uuid();
      await takeSeat(db, wish, id);
      await writeHold(db, wish, id, seatId, null);
      return HELD;
    }),
  close: () => Promise.resolve(),
});

/** The row is changed only if it still has the version that was read; whoever comes too late reads again. */
export const optimisticVersion = ({ connections, tally }: Tools): Strategy => ({
  buy: (wish) =>
    untilAnswered(tally, () =>
      connections.transaction<Answer | 'AGAIN'>(async (db) => {
        const { id: seatId, status, version } = await readSeat(db, wish);
        if (status !== 'AVAILABLE') return REFUSED;
        const id = uuid();
        if (!(await takeSeat(db, wish, id, version))) return { commit: false, answer: 'AGAIN' };
        await writeHold(db, wish, id, seatId, null);
        return HELD;
      }),
    ),
  close: () => Promise.resolve(),
});

/** The server keeps transactions apart, and ends one of two that cannot be. */
export const serializable = ({ connections, tally }: Tools): Strategy => {
  const attempt = (wish: Wish) =>
    connections.transaction<Answer>(async (db) => {
      const { id: seatId, status } = await readSeat(db, wish);
      if (status !== 'AVAILABLE') return REFUSED;
      const id = uuid();
      await takeSeat(db, wish, id);
      await writeHold(db, wish, id, seatId, null);
      return HELD;
    }, 'set transaction isolation level serializable;begin');
  return { buy: (wish) => untilAnswered(tally, () => attempt(wish).catch(againAfterConflict)), close: () => Promise.resolve() };
};

/** The second reservation of a seat is refused by a unique key, and by nothing else. */
export const uniqueKeyAlone = ({ connections, tally }: Tools): Strategy => {
  const attempt = (wish: Wish) =>
    connections.transaction<Answer>(async (db) => {
      const id = uuid();
      const { id: seatId } = await readSeat(db, wish);
      await writeHold(db, wish, id, seatId, seatId);
      await takeSeat(db, wish, id);
      return HELD;
    });
  return {
    buy: (wish) => untilAnswered(tally, () => attempt(wish).catch((error: unknown) => (errnoOf(error) === DUPLICATE_KEY ? ('REFUSED' as const) : againAfterConflict(error)))),
    close: () => Promise.resolve(),
  };
};

function againAfterConflict(error: unknown): 'AGAIN' {
  if (isConflict(error)) return 'AGAIN';
  throw error;
}
