import { jest } from '@jest/globals';
import type { EntityManager } from '@mikro-orm/mysql';
import { OptimisticLockError } from '@mikro-orm/mysql';
import { v7 as uuid } from 'uuid';
import { Wallet } from '../../src/database/entities/wallet.entity.js';
import { LOCK_WAIT_TIMEOUT_S } from '../../src/database/orm.config.js';
import { BriefTransaction } from '../../src/database/brief-transaction.js';
import { ONCE_MORE_AFTER_A_DEADLOCK, Transactions } from '../../src/database/transaction.js';
import type { DateChanges } from '../../src/domain/seat-change.js';
import { HOLDS_REMEMBERED_MAX } from '../../src/services/sale-writer.js';
import { writeSales, type SaleOrder } from '../../src/services/sale-transaction.js';
import type { AdmittedBuyer, BuiltConcert } from '../support/builder.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { saleOf, viewerOf, type Sale } from '../support/sale.js';
import { servicesOf } from '../support/services.js';

/** Requests that share a transaction: each has its own outcome, few commits carry many, and nobody pays for a neighbour. */

const PRICE = 10_000;

let frontrow: Frontrow;
let sale: Sale;
beforeAll(async () => {
  frontrow = await startFrontrow();
  sale = saleOf(frontrow);
});
afterEach(() => jest.restoreAllMocks());
afterAll(() => frontrow.stop());

const execute = (sql: string) => frontrow.app.orm.em.getConnection().execute(sql);

/** Counts messages to the database, those that begin and commit included. */
class CountingTransactions extends Transactions {
  transactions = 0;
  messages = 0;

  override run<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    this.transactions += 1;
    this.messages += 2;
    return super.run((em) => work(this.#counting(em)));
  }

  override runBriefly<T>(work: (transaction: BriefTransaction) => Promise<T>, tries?: Parameters<Transactions['runBriefly']>[1]): Promise<T> {
    this.transactions += 1;
    return super.runBriefly(async ({ em }) => {
      const counted = new BriefTransaction(this.#counting(em));
      const done = await work(counted);
      await counted.commit();
      return done;
    }, tries);
  }

  override fork(): EntityManager {
    return this.#counting(super.fork());
  }

  #counting(em: EntityManager): EntityManager {
    return new Proxy(em, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        if (name === 'execute') this.messages += 1;
        return member.bind(target) as unknown;
      },
    });
  }
}

function counting() {
  const retries: string[] = [];
  const transactions = new CountingTransactions(frontrow.app.orm, (reason) => retries.push(reason));
  return { transactions, retries, ...servicesOf(frontrow.app, { transactions }) };
}

/** `count` buyers of a concert of their own, each with a seat of their number. */
async function crowd(count: number): Promise<{ concert: BuiltConcert; buyers: AdmittedBuyer[] }> {
  const concert = await frontrow.build.concert({ seats: count, price: PRICE });
  return { concert, buyers: await frontrow.build.admit(concert.id, await frontrow.build.buyers(count, { balance: PRICE })) };
}

test('V6, W1, P1: 64 that reserve, pay and charge at once share a few transactions, and each gets what it asked for', async () => {
  const { concert, buyers } = await crowd(64);
  const { transactions, reservations, payments, wallets } = counting();
  const half = buyers.slice(0, 32);
  const holds = await Promise.all(half.map((buyer, index) => reservations.reserve(viewerOf(buyer), { scheduleId: concert.scheduleId, seatNumbers: [index + 1] })));
  transactions.transactions = 0;
  const outcomes = await Promise.all(
    buyers.map((buyer, index) => {
      if (index < 24) return payments.pay(viewerOf(buyer), buyer.queueToken, holds[index]!.id).then(({ amount, balance }) => [amount, balance]);
      if (index < 32) return wallets.charge(viewerOf(buyer), { amount: 1, idempotencyKey: 'one' }).then(({ amount, balance }) => [amount, balance]);
      return reservations.reserve(viewerOf(buyer), { scheduleId: concert.scheduleId, seatNumbers: [index + 1] }).then(({ status, totalPrice }) => [status, totalPrice]);
    }),
  );
  expect(outcomes).toEqual(buyers.map((_, index) => (index < 24 ? [PRICE, 0] : index < 32 ? [1, PRICE + 1] : ['HELD', PRICE])));
  expect(transactions.transactions).toBeLessThanOrEqual(6);
  expect((await sale.liveSeatsOf(concert.scheduleId)).size).toBe(64);
});

test('V6, W1, P1: one that is alone sends no more messages to the database than there are locks to take in order', async () => {
  const { concert, buyers: [buyer] } = await crowd(1);
  const { transactions, reservations, payments, wallets } = counting();
  const messagesOf = async (work: () => Promise<unknown>): Promise<number> => {
    transactions.messages = 0;
    await work();
    return transactions.messages;
  };
  // Which concert a date is of is asked once a second, and no second passes here.
  jest.spyOn(performance, 'now').mockReturnValue(performance.now());
  await reservations.reserve(viewerOf(buyer!), { scheduleId: concert.scheduleId, seatNumbers: [2] }).catch(() => undefined);
  let id = '';
  expect(await messagesOf(async () => ({ id } = await reservations.reserve(viewerOf(buyer!), { scheduleId: concert.scheduleId, seatNumbers: [1] })))).toBeLessThanOrEqual(2);
  expect(await messagesOf(() => payments.pay(viewerOf(buyer!), buyer!.queueToken, id))).toBeLessThanOrEqual(2);
  // Whoever did not make the hold asks what it captured.
  const elsewhere = servicesOf(frontrow.app, { transactions });
  expect(await messagesOf(() => elsewhere.payments.pay(viewerOf(buyer!), buyer!.queueToken, id))).toBe(4);
  expect(await messagesOf(() => wallets.charge(viewerOf(buyer!), { amount: 1, idempotencyKey: 'one' }))).toBeLessThanOrEqual(2);
});

describe('W1: one that breaks a constraint', () => {
  const bad = { key: 'bad.' };
  beforeAll(() => execute(`create trigger bad_charge before insert on charge for each row if new.idempotency_key = '${bad.key}' then signal sqlstate '45000' set message_text = 'no'; end if`));
  afterAll(() => execute('drop trigger bad_charge'));

  test('fails alone: its neighbours are charged, once, and it is not', async () => {
    const { buyers } = await crowd(8);
    const { wallets } = servicesOf(frontrow.app);
    const outcomes = await Promise.allSettled(buyers.map((buyer, index) => wallets.charge(viewerOf(buyer), { amount: 5, idempotencyKey: index === 3 ? 'bad' : 'good' })));
    expect(outcomes.map(({ status }) => status)).toEqual(buyers.map((_, index) => (index === 3 ? 'rejected' : 'fulfilled')));
    const balances = await Promise.all(buyers.map(({ id }) => sale.balanceOf(id)));
    expect(balances).toEqual(buyers.map((_, index) => (index === 3 ? PRICE : PRICE + 5)));
  });

  test('negative control: in the transaction they share it fails them all', async () => {
    const { buyers } = await crowd(3);
    const orders = buyers.map(({ id }, index): SaleOrder => ({ charge: { userId: id, amount: 5, idempotencyKey: index === 1 ? bad.key : 'good.' } }));
    await expect(frontrow.app.transactions.runBriefly((transaction) => writeSales(transaction, orders, frontrow.app.config, false))).rejects.toThrow('no');
    expect(await Promise.all(buyers.map(({ id }) => sale.balanceOf(id)))).toEqual([PRICE, PRICE, PRICE]);
  });
});

test('V5, P1: what is refused to one is not refused to its neighbours', async () => {
  const { concert, buyers } = await crowd(6);
  const { reservations, payments, wallets } = servicesOf(frontrow.app);
  const [rich, poor, ...others] = buyers as [AdmittedBuyer, AdmittedBuyer, ...AdmittedBuyer[]];
  const reserve = (buyer: AdmittedBuyer, seatNumbers: number[]) => reservations.reserve(viewerOf(buyer), { scheduleId: concert.scheduleId, seatNumbers });
  const [one, two] = await Promise.all([reserve(rich, [1]), reserve(poor, [2, 3])]);
  const outcomes = await Promise.allSettled([
    payments.pay(viewerOf(rich), rich.queueToken, one.id),
    payments.pay(viewerOf(poor), poor.queueToken, two.id),
    reserve(others[0]!, [4]),
    wallets.charge({ ...viewerOf(others[1]!), userId: uuid() }, { amount: 1, idempotencyKey: 'nobody' }),
    wallets.charge(viewerOf(others[2]!), { amount: 1, idempotencyKey: 'own' }),
    reserve(others[3]!, [1]),
  ]);
  expect(outcomes).toMatchObject([
    { value: { amount: PRICE, balance: 0 } },
    { reason: { typeName: 'InsufficientBalance', balance: PRICE, required: 2 * PRICE } },
    { value: { status: 'HELD' } },
    { status: 'rejected' },
    { value: { balance: PRICE + 1 } },
    { reason: { typeName: 'SeatsUnavailable', seatNumbers: [1] } },
  ]);
});

test('V6: a row that somebody else keeps locked keeps the one that needs it, and none of those beside and behind it', async () => {
  const { buyers } = await crowd(20);
  const [locked, ...others] = buyers;
  const { wallets } = servicesOf(frontrow.app);
  const charge = (buyer: AdmittedBuyer, idempotencyKey: string) => wallets.charge(viewerOf(buyer), { amount: 1, idempotencyKey });
  const waiting = await frontrow.app.transactions.run(async (em) => {
    await em.execute('select 1 from wallet where user_id = ? for update', [locked!.id]);
    const first = charge(locked!, 'first');
    await Promise.all(others.map((buyer) => charge(buyer, 'beside')));
    await Promise.all(others.map((buyer) => charge(buyer, 'behind')));
    return { first };
  });
  expect((await waiting.first).balance).toBe(PRICE + 1);
});

describe('V6: a batch waits for no lock of somebody else', () => {
  const holdOf = ({ id: userId }: AdmittedBuyer, { id: concertId, scheduleId }: BuiltConcert, number: number): SaleOrder => ({
    hold: { attemptId: uuid(), userId, concertId, scheduleId, numbers: [number], takenAt: 0 },
  });

  test('not for the seats of a hold that is over: who wants them is put aside', async () => {
    const { concert, buyers: [first, next, beside] } = await crowd(3);
    const { id } = await sale.hold(first!, concert.scheduleId, [1, 2]);
    await execute(`update reservation r join seat s on s.reservation_id = r.id set r.expires_at = now(3), s.held_until = now(3) where r.id = '${id}'`);
    const orders: SaleOrder[] = [holdOf(next!, concert, 1), { charge: { userId: beside!.id, amount: 5, idempotencyKey: 'beside' } }];
    await frontrow.app.transactions.run(async (em) => {
      await em.execute('select 1 from seat where schedule_id = ? and number = 2 for update', [concert.scheduleId]);
      const { outcomes } = await frontrow.app.transactions.runBriefly((batch) => writeSales(batch, orders, frontrow.app.config, false), ONCE_MORE_AFTER_A_DEADLOCK);
      expect(outcomes).toMatchObject(['aside', { answer: { charged: { charge: { balance: PRICE + 5 } } } }]);
    });
  });

  test('not for a seat that is another\'s already: who wants it is refused at once, and who holds it is put aside', async () => {
    const { concert, buyers: [holder, other] } = await crowd(2);
    await sale.hold(holder!, concert.scheduleId, [1]);
    await frontrow.app.transactions.run(async (em) => {
      await em.execute('select 1 from seat where schedule_id = ? and number = 1 for update', [concert.scheduleId]);
      const orders = [holdOf(other!, concert, 1), holdOf(holder!, concert, 1)];
      const { outcomes } = await frontrow.app.transactions.runBriefly((batch) => writeSales(batch, orders, frontrow.app.config, false), ONCE_MORE_AFTER_A_DEADLOCK);
      expect(outcomes).toMatchObject([{ error: { typeName: 'SeatsUnavailable', seatNumbers: [1] } }, 'aside']);
    });
  });

  test.each(['reservation_quota', 'queue_pass'])('not for a row of %s: it fails at once, and each is done again alone', async (table) => {
    const { concert, buyers: [buyer] } = await crowd(1);
    const { id: reservationId } = await sale.hold(buyer!, concert.scheduleId, [1]);
    const [{ place }] = (await frontrow.app.transactions.fork().execute('select place from queue_pass where user_id = ?', [buyer!.id])) as [{ place: number }];
    const pay: SaleOrder = {
      pay: { reservationId, userId: buyer!.id, scheduleId: concert.scheduleId, numbers: [1], place: { concertId: concert.id, userId: buyer!.id, place: Number(place) } },
    };
    await frontrow.app.transactions.run(async (em) => {
      await em.execute(`select 1 from ${table} where user_id = ? for update`, [buyer!.id]);
      const batch = frontrow.app.transactions.runBriefly(async (inner) => {
        await inner.em.execute('set session innodb_lock_wait_timeout = 60');
        try {
          const sales = await writeSales(inner, [table === 'queue_pass' ? pay : holdOf(buyer!, concert, 1)], frontrow.app.config, false);
          await inner.commit();
          return sales;
        } finally {
          await inner.em.execute(`set session innodb_lock_wait_timeout = ${LOCK_WAIT_TIMEOUT_S}`);
        }
      }, ONCE_MORE_AFTER_A_DEADLOCK);
      await expect(batch).rejects.toMatchObject({ errno: 1205 });
    });
    expect(await frontrow.app.services.payments.pay(viewerOf(buyer!), buyer!.queueToken, reservationId)).toMatchObject({ amount: PRICE });
  });
});

test('V6: a batch that the database gives up for a deadlock is done once more together, and that is counted', async () => {
  const { buyers } = await crowd(30);
  const [first, second, ...others] = buyers as [AdmittedBuyer, AdmittedBuyer, ...AdmittedBuyer[]];
  const { transactions, retries, wallets } = counting();
  // The server counts who waits for locks of any database: without a wait of its own no such statement is under way for so long.
  const waiting = (em: EntityManager) =>
    em.execute<object[]>(
      `select 1 from information_schema.processlist join information_schema.global_status on variable_name = 'innodb_row_lock_current_waits' and variable_value > 0
       where db = database() and info like 'insert into charge%' and time_ms > 20`,
    );
  let charged: Promise<{ balance: number }[]> | undefined;
  const deadlocking = frontrow.app.transactions.run(async (em) => {
    const insertCharge = ({ id }: AdmittedBuyer) => em.execute("insert into charge values (uuid(), ?, 'key.', 1, 1, now(3))", [id]);
    // Who has changed less is given up.
    await em.execute('update wallet set balance = balance + 1 where user_id in (?)', [others.map(({ id }) => id)]);
    await insertCharge(second);
    charged = Promise.all([first, second].map((buyer) => wallets.charge(viewerOf(buyer), { amount: 5, idempotencyKey: 'key' })));
    await eventually(async () => (await waiting(em)).length === 1, 'the batch to wait for the second charge');
    await insertCharge(first);
    throw new Error('rolled back');
  });
  await expect(deadlocking).rejects.toThrow('rolled back');
  expect((await charged!).map(({ balance }) => balance)).toEqual([PRICE + 5, PRICE + 5]);
  expect({ retries, transactions: transactions.transactions }).toEqual({ retries: ['1213'], transactions: 1 });
});

test('V4: a hold that was judged after another was given back begins after it, though its seats were locked before', async () => {
  const { concert, buyers: [buyer] } = await crowd(5);
  const { id } = await sale.hold(buyer!, concert.scheduleId, [1, 2, 3, 4]);
  const order: SaleOrder = { hold: { attemptId: uuid(), userId: buyer!.id, concertId: concert.id, scheduleId: concert.scheduleId, numbers: [5], takenAt: 0 } };
  const { outcomes } = await frontrow.app.transactions.runBriefly((batch) => {
    const together = batch.together.bind(batch) as typeof batch.together;
    batch.together = async (asked) => {
      batch.together = together;
      const answers = await together(asked);
      await frontrow.app.services.reservations.cancel(viewerOf(buyer!), id);
      return answers;
    };
    return writeSales(batch, [order], frontrow.app.config, false);
  });
  expect(outcomes).toMatchObject([{ answer: { held: { isNew: true } } }]);
  const [rows] = await frontrow.app.transactions.fork().execute<{ began: number }[]>(
    'select (select max(created_at) from reservation where user_id = ?) >= (select updated_at from reservation where id = ?) as began',
    [buyer!.id, id],
  );
  expect(rows!.began).toBe(1);
});

test('V6: many whose rows somebody else keeps locked do not keep one whose own row is free again', async () => {
  const { buyers } = await crowd(10);
  const [one, beside, ...stuck] = buyers as [AdmittedBuyer, AdmittedBuyer, ...AdmittedBuyer[]];
  const { wallets } = servicesOf(frontrow.app);
  const charge = (buyer: AdmittedBuyer, idempotencyKey: string) => wallets.charge(viewerOf(buyer), { amount: 5, idempotencyKey });
  const locking = (em: EntityManager, some: readonly AdmittedBuyer[]) => em.execute('select 1 from wallet where user_id in (?) for update', [some.map(({ id }) => id)]);
  const { charges } = await frontrow.app.transactions.run(async (em) => {
    await locking(em, stuck);
    const charges = stuck.map((buyer) => charge(buyer, 'stuck'));
    await charge(beside, 'when they were put aside');
    const { own } = await frontrow.app.transactions.run(async (other) => {
      await locking(other, [one]);
      const own = charge(one, 'own');
      await charge(beside, 'when it was put aside');
      return { own };
    });
    expect((await own).balance).toBe(PRICE + 5);
    // The server has ended a transaction that was still for 5 s.
    await em.execute('select 1');
    return { charges };
  });
  expect((await Promise.all(charges)).map(({ balance }) => balance)).toEqual(stuck.map(() => PRICE + 5));
});

test('W2: a wallet that was read before a charge of a batch is stale: its flush is an OptimisticLockError, and nothing is lost', async () => {
  const { buyers: [buyer] } = await crowd(1);
  const em = frontrow.app.transactions.fork();
  const stale = await em.findOneOrFail(Wallet, { userId: buyer!.id });
  await frontrow.app.services.wallets.charge(viewerOf(buyer!), { amount: 5, idempotencyKey: 'beside' });
  stale.balance -= PRICE;
  await expect(em.flush()).rejects.toBeInstanceOf(OptimisticLockError);
  expect(await sale.balanceOf(buyer!.id)).toBe(PRICE + 5);
});

test('C5: every change of a seat raises its version, and the board is told of each with that version', async () => {
  const { concert, buyers: [buyer] } = await crowd(2);
  const told: DateChanges[] = [];
  const { reservations, payments } = servicesOf(frontrow.app, { board: { tell: async (changes) => void told.push(...structuredClone(changes)) } });
  const viewer = viewerOf(buyer!);
  const seatsNow = async () => {
    const rows = await frontrow.app.transactions.fork().execute<{ number: number; status: string; version: number }[]>('select number, status, version from seat where schedule_id = ? order by number', [concert.scheduleId]);
    return rows.map(({ number, status, version }) => [number, status, version]);
  };
  const expectTold = async (): Promise<void> => {
    expect(told.map(({ scheduleId }) => scheduleId)).toEqual([concert.scheduleId]);
    expect(told.flatMap(({ seats }) => seats.map(({ number, status, version }) => [number, status, version]))).toEqual(await seatsNow());
    told.length = 0;
  };
  const reserve = () => reservations.reserve(viewer, { scheduleId: concert.scheduleId, seatNumbers: [1, 2] });
  const { id } = await reserve();
  await expectTold();
  await reservations.cancel(viewer, id);
  await expectTold();
  const over = await reserve();
  await expectTold();
  await execute(`update reservation r join seat s on s.reservation_id = r.id set r.expires_at = now(3), s.held_until = now(3), r.created_at = r.created_at where r.id = '${over.id}'`);
  await reservations.expire(over.id);
  await expectTold();
  await execute(`update wallet set balance = balance + ${PRICE}, version = version + 1 where user_id = '${buyer!.id}'`);
  await execute(`update ledger_entry set amount = amount + ${PRICE}, balance_after = balance_after + ${PRICE} where user_id = '${buyer!.id}'`);
  await execute(`update charge set amount = amount + ${PRICE}, balance = balance + ${PRICE} where user_id = '${buyer!.id}'`);
  const paid = await payments.pay(viewer, buyer!.queueToken, (await reserve()).id);
  expect(told.splice(0, 1)[0]!.seats.map(({ status }) => status)).toEqual(['HELD', 'HELD']);
  await expectTold();
  await payments.refund(viewer, paid.id);
  await expectTold();
  expect((await seatsNow()).map(([, , version]) => version)).toEqual([7, 7]);
});

test('what a hold has captured is remembered of the newest only; who pays an older one asks the database', async () => {
  const { concert, buyers } = await crowd(5);
  const { writer, reservations, payments } = servicesOf(frontrow.app, { holdsRememberedMax: 4 });
  const ids: string[] = [];
  for (const [index, buyer] of buyers.entries()) ids.push((await reservations.reserve(viewerOf(buyer), { scheduleId: concert.scheduleId, seatNumbers: [index + 1] })).id);
  const [oldest, newest] = [ids[0]!, ids.at(-1)!];
  expect([writer.capturedBy(oldest), writer.capturedBy(newest)]).toMatchObject([undefined, { id: newest, seats: [{ number: 5 }] }]);
  expect(await payments.pay(viewerOf(buyers[0]!), buyers[0]!.queueToken, oldest)).toMatchObject({ amount: PRICE, seats: [{ number: 1 }] });
  expect(HOLDS_REMEMBERED_MAX).toBe(20_000);
});
