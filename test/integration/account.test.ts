import { parseOptions } from '@node-rs/argon2';
import { v7 as uuid } from 'uuid';
import { User } from '../../src/database/entities/user.entity.js';
import { Wallet } from '../../src/database/entities/wallet.entity.js';
import { HASH_COST, HASH_WAITING_MAX, HASHING_MAX } from '../../src/services/password.service.js';
import { codeOf, type Answer } from '../support/client.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';

let frontrow: Frontrow;
beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2 });
});
afterAll(() => frontrow.stop());

const SESSION = '__typename ... on Session { accessToken accessTokenExpiresAt refreshToken user { id email name balance } } ... on Refusal { message }';
const SIGN_UP = `mutation ($input: SignUpInput!) { signUp(input: $input) { ${SESSION} } }`;
const SIGN_IN = `mutation ($input: SignInInput!) { signIn(input: $input) { ${SESSION} } }`;
const PASSWORD = 'correct horse';

const freshEmail = (): string => `${uuid()}@example.com`;
const signUp = (input: Record<string, unknown>, instance = 0) =>
  frontrow.client(instance).raw(SIGN_UP, { input: { email: freshEmail(), password: PASSWORD, name: 'Ann', ...input } });
const signIn = (email: string, password: string, instance = 0) => frontrow.client(instance).raw(SIGN_IN, { input: { email, password } });
const fieldOf = (answer: Answer<unknown>): (string | undefined)[] => [codeOf(answer), answer.errors?.[0]?.extensions.field];

test('U1: signing up opens an account with an empty wallet and signs in, on every instance', async () => {
  const email = freshEmail();
  const { data } = await signUp({ email: `  ${email.toUpperCase()} `, name: '  Ann  ' });
  expect(data.signUp).toMatchObject({ __typename: 'Session', user: { email, name: 'Ann', balance: 0 } });
  const me = await frontrow.client(1).raw('{ me { id email } }', {}, { accessToken: data.signUp.accessToken });
  expect(me.data.me).toEqual({ id: data.signUp.user.id, email });
  const lifetimeMs = Date.parse(data.signUp.accessTokenExpiresAt) - Date.now();
  expect(lifetimeMs).toBeGreaterThan(frontrow.app.config.accessTokenTtlMs - 5000);
  expect(lifetimeMs).toBeLessThanOrEqual(frontrow.app.config.accessTokenTtlMs + 1000);
});

test('U1: a password is kept as an argon2id hash of the stated cost', async () => {
  const { data } = await signUp({});
  const user = await frontrow.app.transactions.fork().findOneOrFail(User, data.signUp.user.id);
  expect(user.passwordHash).toMatch(/^\$argon2id\$/);
  expect(parseOptions(user.passwordHash)).toMatchObject({ ...HASH_COST });
  expect(user.role).toBe('USER');
});

test('U1: signing in needs the right password; e-mails are compared without case', async () => {
  const email = freshEmail();
  await signUp({ email });
  const good = await signIn(email.toUpperCase(), PASSWORD, 1);
  expect(good.data.signIn).toMatchObject({ __typename: 'Session', user: { email } });
  const wrong = await signIn(email, 'wrong horse');
  const unknown = await signIn(freshEmail(), PASSWORD);
  expect(wrong.data.signIn.__typename).toBe('InvalidCredentials');
  expect(unknown).toEqual(wrong);
});

test('U1: a password typed with composed or decomposed Hangul is the same password', async () => {
  const email = freshEmail();
  await signUp({ email, password: '비밀번호비밀번호'.normalize('NFC') });
  const answer = await signIn(email, '비밀번호비밀번호'.normalize('NFD'));
  expect(answer.data.signIn.__typename).toBe('Session');
});

test('an e-mail that is taken, in whatever case, is refused', async () => {
  const email = freshEmail();
  await signUp({ email });
  expect((await signUp({ email: email.toUpperCase() })).data.signUp.__typename).toBe('EmailTaken');
});

describe('ten sign-ups at once with one e-mail in different cases', () => {
  const race = async (): Promise<{ sessions: number; taken: number; accounts: number; wallets: number }> => {
    const email = freshEmail();
    const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => signUp({ email: index % 2 ? email : email.toUpperCase() }, index % 2)));
    const typeCount = (name: string): number => answers.filter((answer) => answer.data?.signUp.__typename === name).length;
    const em = frontrow.app.transactions.fork();
    const accounts = await em.find(User, { email });
    const wallets = await em.count(Wallet, { userId: { $in: accounts.map(({ id }) => id) } });
    return { sessions: typeCount('Session'), taken: typeCount('EmailTaken'), accounts: accounts.length, wallets };
  };

  test('open exactly one account', async () => {
    expect(await race()).toEqual({ sessions: 1, taken: 9, accounts: 1, wallets: 1 });
  });

  test('open several without the unique key (negative control)', async () => {
    const em = frontrow.app.transactions.fork();
    await em.execute('alter table user drop index user_email_unique');
    try {
      expect((await race()).accounts).toBeGreaterThan(1);
    } finally {
      await em.execute('delete a from user a join user b on a.email = b.email and a.id > b.id');
      await em.execute('alter table user add unique user_email_unique (email)');
    }
  });
});

test.each([
  ['email', { email: '' }],
  ['email', { email: 'nobody' }],
  ['email', { email: 'a b@example.com' }],
  ['email', { email: 'a\u0000@example.com' }],
  ['email', { email: `${'a'.repeat(243)}@example.com` }],
  ['email', { email: `${'a'.repeat(10_240)}@example.com` }],
  ['password', { password: 'short67' }],
  ['password', { password: 'p'.repeat(129) }],
  ['password', { password: 'p'.repeat(10_240) }],
  ['name', { name: ' ' }],
  ['name', { name: 'n'.repeat(101) }],
  ['name', { name: 'n'.repeat(10_240) }],
  ['name', { name: 'bell\u0007' }],
])('signing up with a bad %s says so and opens nothing (%#)', async (field, input) => {
  const before = await frontrow.app.transactions.fork().count(User);
  expect(fieldOf(await signUp(input))).toEqual(['BAD_USER_INPUT', field]);
  expect(await frontrow.app.transactions.fork().count(User)).toBe(before);
});

test('the limits themselves are allowed: 254 characters of e-mail, 8 and 128 of password, 100 of name', async () => {
  const email = `${uuid()}${'a'.repeat(206)}@example.com`;
  expect(email).toHaveLength(254);
  expect((await signUp({ email, password: '12345678', name: '가'.repeat(100) })).data.signUp.__typename).toBe('Session');
  expect((await signUp({ password: '가'.repeat(128) })).data.signUp.__typename).toBe('Session');
});

/** Always exactly as many hashes as may run and wait, until told to stop. */
function fillHashingLine(): { stop(): Promise<void> } {
  let full = true;
  const hashAgain = async (): Promise<void> => {
    while (full) await frontrow.app.passwords.hash(PASSWORD);
  };
  const workers = Array.from({ length: HASHING_MAX + HASH_WAITING_MAX }, hashAgain);
  return {
    stop: async () => {
      full = false;
      await Promise.all(workers);
    },
  };
}

test('with 2 passwords being hashed and 50 waiting, signing in is RATE_LIMITED, for unknown e-mails too, and too long input is refused unhashed', async () => {
  const email = freshEmail();
  await signUp({ email });
  const line = fillHashingLine();
  try {
    for (const answer of [await signIn(email, PASSWORD), await signIn(freshEmail(), PASSWORD), await signUp({})]) {
      expect(codeOf(answer)).toBe('RATE_LIMITED');
      expect(answer.errors?.[0]?.extensions.retryAfterSeconds).toBeGreaterThanOrEqual(1);
    }
    expect(fieldOf(await signIn(email, 'p'.repeat(129)))).toEqual(['BAD_USER_INPUT', 'password']);
    expect(fieldOf(await signIn(email, 'p'.repeat(10_240)))).toEqual(['BAD_USER_INPUT', 'password']);
    expect(fieldOf(await signIn(`${'a'.repeat(10_240)}@example.com`, PASSWORD))).toEqual(['BAD_USER_INPUT', 'email']);
  } finally {
    await line.stop();
  }
  expect((await signIn(email, PASSWORD)).data.signIn.__typename).toBe('Session');
});

test('me without its row is NOT_FOUND', async () => {
  const buyer = await frontrow.build.buyer();
  await frontrow.app.transactions.fork().nativeDelete(User, buyer.id);
  expect(codeOf(await frontrow.client().raw('{ me { id } }', {}, buyer))).toBe('NOT_FOUND');
});
