import type { User } from '../database/entities/user.entity.js';
import type { Transactions } from '../database/transaction.js';
import type { IssuedSession, SessionService } from './session.service.js';

export class UserService {
  constructor(
    readonly transactions: Transactions,
    readonly sessions: SessionService,
  ) {}

  signUp(_input: { email: string; password: string; name: string }, _address: string): Promise<IssuedSession> {
    throw new Error('stub');
  }
  signIn(_input: { email: string; password: string }, _address: string): Promise<IssuedSession> {
    throw new Error('stub');
  }
  user(_id: string): Promise<User> {
    throw new Error('stub');
  }
}
