import type { EntityManager, MikroORM } from '@mikro-orm/mysql';
import { BriefTransaction } from '../../src/database/brief-transaction.js';
import { Transactions } from '../../src/database/transaction.js';

/** For negative controls: the same transactions with every row lock left out, and a pause between what they read and what they write. */
export class UnlockedTransactions extends Transactions {
  constructor(
    orm: MikroORM,
    private readonly beforeWrite: () => Promise<unknown>,
  ) {
    super(orm, () => undefined);
  }

  override run<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    return super.run((em) => work(withoutLocks(em, this.beforeWrite)));
  }

  override runBriefly<T>(work: (transaction: BriefTransaction) => Promise<T>): Promise<T> {
    return super.runBriefly(async ({ em }) => {
      const unlocked = new BriefTransaction(withoutLocks(em, this.beforeWrite));
      const done = await work(unlocked);
      await unlocked.commit();
      return done;
    });
  }
}

const LOCKING_READS = new Set<PropertyKey>(['find', 'findOne', 'findOneOrFail']);
const WRITES = new Set<PropertyKey>(['flush', 'nativeUpdate']);
const LOCK = /\s(for update|lock in share mode)( skip locked| \/\*M!100600 skip locked \*\/)?/g;
/** The quota's row is made before anything is judged. */
const WRITE = /^\s*(update|delete|insert into (?!reservation_quota))/;

const withoutLocks = (em: EntityManager, beforeWrite: () => Promise<unknown>): EntityManager =>
  new Proxy(em, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      if (LOCKING_READS.has(name)) return (entity: unknown, where: unknown, options: object = {}) => member.call(target, entity, where, { ...options, lockMode: undefined });
      if (WRITES.has(name)) return async (...args: unknown[]) => (await beforeWrite(), member.apply(target, args));
      if (name === 'execute') {
        return async (sql: string, ...args: unknown[]) => {
          if (WRITE.test(sql)) await beforeWrite();
          return member.call(target, sql.replace(LOCK, ''), ...args) as unknown;
        };
      }
      return member.bind(target);
    },
  });
