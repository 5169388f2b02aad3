import { jest } from '@jest/globals';
import { v7 as uuid } from 'uuid';
import { queueTokenExpired } from '../../src/domain/errors.js';
import { keys } from '../../src/redis/keys.js';
import { topics } from '../../src/redis/pubsub.js';
import { SessionMemory } from '../../src/services/session-memory.js';
import type { AdmittedBuyer, BuiltConcert, Buyer } from '../support/builder.js';
import { codeOf } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { queueOf } from '../support/queue.js';
import { viewerOf } from '../support/sale.js';

/** What a process believes for a second without asking, and how it stops. */

let frontrow: Frontrow;
let concert: BuiltConcert;
beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2 });
  concert = await frontrow.build.concert();
});
afterAll(() => frontrow.stop());

const services = (instance = 0) => frontrow.instances[instance]!.app.services;
const address = '10.9.8.7';
const remembered = ({ accessToken }: Buyer, instance = 0) => services(instance).senders.admitRemembered({ accessToken, address });
const admit = ({ accessToken }: Buyer, instance = 0) => services(instance).senders.admit({ accessToken, address });

/** No time passes: a slow machine would let the memory end by its time. */
async function withinItsTime(work: () => Promise<void>): Promise<void> {
  const clock = jest.spyOn(performance, 'now').mockReturnValue(performance.now());
  await work().finally(() => clock.mockRestore());
}

/** Whether it is believed 999 ms and 1 s after it was learned. */
async function believedAfter(learn: () => unknown, isBelieved: () => boolean): Promise<boolean[]> {
  const from = performance.now();
  const clock = jest.spyOn(performance, 'now').mockReturnValue(from);
  try {
    await learn();
    return [999, 1000].map((ms) => (clock.mockReturnValue(from + ms), isBelieved()));
  } finally {
    clock.mockRestore();
  }
}

describe('a session', () => {
  test('is remembered once it was asked for, in that process', async () => {
    const buyer = await frontrow.build.buyer();
    expect(remembered(buyer)).toBeUndefined();
    await withinItsTime(async () => {
      await admit(buyer);
      expect(remembered(buyer)).toMatchObject({ userId: buyer.id });
    });
    expect(remembered(buyer, 1)).toBeUndefined();
    expect(remembered({ ...buyer, accessToken: `${buyer.accessToken.slice(0, -3)}AAA` })).toBeNull();
  });

  test('that was signed out is forgotten at once: here before the answer, elsewhere with the message', async () => {
    await withinItsTime(async () => {
      const buyer = await frontrow.build.buyer();
      const heard = Promise.withResolvers<void>();
      const stop = await services(1).sessions.onRevoked((sessionId) => sessionId === buyer.sessionId && heard.resolve());
      for (const instance of [0, 1]) await admit(buyer, instance);
      await services(0).sessions.signOut(viewerOf(buyer));
      expect(remembered(buyer)).toBeUndefined();
      await heard.promise;
      expect(remembered(buyer, 1)).toBeUndefined();
      stop();
    });
  });

  test('is not remembered by who asked before the sign-out and was answered after it', () => {
    const memory = new SessionMemory();
    const sessionId = uuid();
    const remember = memory.asking(sessionId);
    memory.forget(sessionId);
    remember();
    expect(memory.isGood(sessionId)).toBe(false);
    memory.asking(sessionId)();
    expect(memory.isGood(sessionId)).toBe(true);
  });

  test('is believed for a second after it was asked for, and no longer', async () => {
    const memory = new SessionMemory();
    expect(await believedAfter(() => memory.asking('one')(), () => memory.isGood('one'))).toEqual([true, false]);
  });

  test('that is revoked in Redis is asked for by everything but reads of what all see alike', async () => {
    await withinItsTime(async () => {
      const buyer = await frontrow.build.buyer();
      await admit(buyer);
      await frontrow.app.redis.set(keys.session(await frontrow.app.redisRun.current(), buyer.sessionId), 'revoked');
      expect(remembered(buyer)).toMatchObject({ userId: buyer.id });
      const { errors } = await frontrow.client().raw('{ me { id } }', {}, buyer);
      expect(errors![0]!.extensions.code).toBe('UNAUTHENTICATED');
    });
  });
});

describe('a pass', () => {
  const isRemembered = (buyer: AdmittedBuyer, instance = 0): boolean => services(instance).queue.remembersPass(viewerOf(buyer), buyer.queueToken, concert.scheduleId);
  const look = (buyer: AdmittedBuyer, instance = 0): Promise<void> => services(instance).queue.requirePass(viewerOf(buyer), buyer.queueToken, concert.scheduleId, false);
  /** The first look has its process listen to the queue; what is seen after that is remembered. */
  const seen = async (buyer: AdmittedBuyer, instance = 0): Promise<void> => {
    await eventually(async () => (await look(buyer, instance), isRemembered(buyer, instance)), 'the pass to be remembered');
  };

  test('is remembered for its user, its token and its concert alone, never beyond its end', async () => {
    const [buyer, other] = [await frontrow.build.admittedBuyer(concert.id), await frontrow.build.admittedBuyer(concert.id)];
    await seen(buyer);
    await withinItsTime(async () => {
      await look(buyer);
      expect(isRemembered(buyer)).toBe(true);
      for (const wrong of [{ ...buyer, id: other.id }, { ...buyer, queueToken: other.queueToken }]) expect(isRemembered(wrong)).toBe(false);
      const elsewhere = await frontrow.build.concert();
      expect(services().queue.remembersPass(viewerOf(buyer), buyer.queueToken, elsewhere.scheduleId)).toBe(false);
    });
    const [brief] = await frontrow.build.admit(concert.id, [await frontrow.build.buyer()], 100);
    await look(brief!).catch(() => undefined);
    await eventually(() => !isRemembered(brief!), 'the end of the pass');
    await expect(look(brief!)).rejects.toMatchObject({ code: queueTokenExpired().code });
  });

  test('is believed for a second after it was looked at, and no longer', async () => {
    const buyer = await frontrow.build.admittedBuyer(concert.id);
    await seen(buyer);
    expect(await believedAfter(() => look(buyer), () => isRemembered(buyer))).toEqual([true, false]);
  });

  test('that is given up or paid with is forgotten at once: here before the answer, elsewhere with the message', async () => {
    for (const end of ['leave', 'complete'] as const) {
      await withinItsTime(async () => {
        const buyer = await frontrow.build.admittedBuyer(concert.id);
        const place = frontrow.app.tokens.verifyQueue(buyer.queueToken)!.place;
        for (const instance of [0, 1]) await seen(buyer, instance);
        const heard = Promise.withResolvers<void>();
        const stop = await frontrow.instances[1]!.app.pubsub.listen<'queueMoved'>(topics.queueMoved(concert.id), ({ users }) => users.includes(buyer.id) && heard.resolve());
        if (end === 'leave') await services().queue.leave(viewerOf(buyer), concert.id);
        else await services().queue.complete(concert.id, buyer.id, place);
        expect(isRemembered(buyer)).toBe(false);
        await heard.promise;
        expect(isRemembered(buyer, 1)).toBe(false);
        stop();
      });
    }
  });

  test('is not remembered by who reserves, for each try is asked about', async () => {
    const buyer = await frontrow.build.admittedBuyer(concert.id);
    await withinItsTime(async () => {
      await seen(await frontrow.build.admittedBuyer(concert.id));
      await services().queue.requirePass(viewerOf(buyer), buyer.queueToken, concert.scheduleId, true);
      expect(isRemembered(buyer)).toBe(false);
    });
  });

  test('that has ended in Redis is asked for by reserve, whatever is remembered for looks at the seats', async () => {
    await withinItsTime(async () => {
      const buyer = await frontrow.build.admittedBuyer(concert.id);
      await seen(buyer);
      await queueOf(frontrow).agePass(concert.id, buyer.id, 3_600_000);
      expect(isRemembered(buyer)).toBe(true);
      const reserved = await frontrow.client().raw('mutation ($input: ReserveInput!) { reserve(input: $input) { __typename } }', { input: { scheduleId: concert.scheduleId, seatNumbers: [1] } }, buyer);
      expect(codeOf(reserved)).toBe('QUEUE_TOKEN_EXPIRED');
    });
  });
});
