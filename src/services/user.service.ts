import { v7 as uuid } from 'uuid';
import { databaseNow } from '../database/clock.js';
import { User } from '../database/entities/user.entity.js';
import { Wallet } from '../database/entities/wallet.entity.js';
import { accountsOf, type Account } from '../database/repositories/user.repository.js';
import { isDuplicateKey, type Transactions } from '../database/transaction.js';
import { networkOf } from '../domain/address.js';
import { notFound } from '../domain/errors.js';
import { emailOf, givenPasswordOf, NAME_MAX, passwordOf, textOf } from '../domain/input.js';
import { EmailTaken, InvalidCredentials } from '../domain/refusals.js';
import type { RateLimiter } from '../redis/rate-limiter.js';
import type { PasswordService } from './password.service.js';
import { SameTurn } from './same-turn.js';
import type { IssuedSession, SessionService } from './session.service.js';

const ACCOUNTS_PER_QUESTION_MAX = 100;

/** One account per e-mail, whatever its case, each with exactly one wallet. Who signs in with a wrong password learns nothing about the e-mail. */
export class UserService {
  readonly #accounts = new SameTurn<string, Account>((ids) => accountsOf(this.transactions.fork(), ids), ACCOUNTS_PER_QUESTION_MAX);

  constructor(
    private readonly transactions: Transactions,
    private readonly sessions: SessionService,
    private readonly passwords: PasswordService,
    private readonly limiter: RateLimiter,
  ) {}

  async signUp(input: { email: string; password: string; name: string }, address: string): Promise<IssuedSession> {
    const email = emailOf('email', input.email);
    const password = passwordOf('password', input.password);
    const name = textOf('name', input.name, NAME_MAX);
    await this.limiter.consume('signUp', address);
    const passwordHash = await this.passwords.hash(password);
    try {
      return await this.transactions.run(async (em) => {
        const user = em.create(User, { id: uuid(), email, name, passwordHash, role: 'USER', createdAt: await databaseNow(em) });
        em.create(Wallet, { userId: user.id, balance: 0 });
        await em.flush();
        return this.sessions.start(user, em);
      });
    } catch (error) {
      if (isDuplicateKey(error, 'user_email_unique')) throw new EmailTaken();
      throw error;
    }
  }

  async signIn(input: { email: string; password: string }, address: string): Promise<IssuedSession> {
    const email = emailOf('email', input.email);
    const password = givenPasswordOf('password', input.password);
    await this.limiter.consume('signIn', `${email}|${networkOf(address)}`);
    const user = await this.transactions.fork().findOne(User, { email });
    if (!(await this.passwords.verify(user?.passwordHash ?? null, password)) || !user) throw new InvalidCredentials();
    return this.sessions.start(user);
  }

  /** What a user is told of itself, as it is at this moment. */
  async account(id: string): Promise<Account> {
    const account = await this.#accounts.get(id);
    if (!account) throw notFound('user');
    return account;
  }
}
