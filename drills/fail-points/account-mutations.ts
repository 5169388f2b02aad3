import * as operations from '../../test/graphql/operations.js';
import type { Credentials } from '../../test/support/client.js';
import type { Reply, Target } from '../support/client.js';
import { must, type Lane } from './lane.js';
import { saysOk, unless, type DrilledMutation } from './rehearsal.js';

/** Accounts and sessions. */

const PASSWORD = 'a-long-password';
type Session = { __typename: 'Session'; accessToken: string; refreshToken: string };

const signUp = (lane: Lane, email: string, via: Target) =>
  lane.client.call({ process: email, name: 'signUp', document: operations.SignUpDocument, variables: { input: { email, password: PASSWORD, name: 'Somebody' } }, credentials: {}, read: (data) => data.signUp, succeeds: 'Session', keep: () => null }, via) as Promise<Reply<Session>>;

const signIn = (lane: Lane, email: string, via: Target) =>
  lane.client.call({ process: email, name: 'signIn', document: operations.SignInDocument, variables: { input: { email, password: PASSWORD } }, credentials: {}, read: (data) => data.signIn, succeeds: 'Session', keep: () => null }, via) as Promise<Reply<Session>>;

const refresh = (lane: Lane, refreshToken: string, via: Target) =>
  lane.client.call({ process: 'somebody', name: 'refreshSession', document: operations.RefreshSessionDocument, variables: { refreshToken }, credentials: {}, read: (data): Session => ({ ...data.refreshSession, __typename: 'Session' }), keep: () => null }, via);

const signOut = (lane: Lane, credentials: Credentials, via: Target) =>
  lane.client.call({ process: 'somebody', name: 'signOut', document: operations.SignOutDocument, variables: {}, credentials, read: (data) => data.signOut }, via);

const isSignedIn = async (lane: Lane, accessToken: string): Promise<boolean> => {
  const reply = await lane.ask('whoami', '{ whoami: me { id } }', {}, { accessToken }, lane.well);
  return reply.outcome === 'ok';
};

const newSession = async (lane: Lane): Promise<Session> => must(await signUp(lane, `${lane.unique('session')}@example.com`, lane.well));

export const accountMutations: DrilledMutation[] = [
  {
    name: 'signUp',
    through: ['before commit', 'after commit'],
    arrange: async (lane) => {
      const email = `${lane.unique('new')}@example.com`;
      return {
        call: (via) => signUp(lane, email, via),
        wrong: async (reply) => {
          const there = await signIn(lane, email, lane.well);
          return unless({
            'signing up again gives a session, or says that the account is there': reply.outcome === 'ok' || (reply.outcome === 'fail' && reply.code === 'EmailTaken'),
            'one can sign in with the password': there.outcome === 'ok',
            'there is one account, with a wallet': (await lane.count('user u join wallet w on w.user_id = u.id where u.email = ?', [email])) === 1,
          });
        },
      };
    },
  },
  {
    name: 'signIn',
    through: ['before writing a session', 'after writing a session'],
    arrange: async (lane) => {
      const email = `${lane.unique('known')}@example.com`;
      must(await signUp(lane, email, lane.well));
      return {
        call: (via) => signIn(lane, email, via),
        wrong: async (reply) => unless({ ...saysOk(reply), 'its session is good': reply.outcome === 'ok' && (await isSignedIn(lane, (reply.value as Session).accessToken)) }),
      };
    },
  },
  {
    name: 'refreshSession',
    through: ['before commit', 'after commit'],
    arrange: async (lane) => {
      const { refreshToken } = await newSession(lane);
      return {
        call: (via) => refresh(lane, refreshToken, via),
        wrong: async (reply) => {
          if (reply.outcome !== 'ok') return unless(saysOk(reply));
          const session = reply.value as Session;
          const next = await refresh(lane, session.refreshToken, lane.well);
          return unless({ 'its session is good': await isSignedIn(lane, session.accessToken), 'its refresh token is good': next.outcome === 'ok' });
        },
      };
    },
  },
  {
    name: 'signOut',
    through: ['after doubting a session', 'before revoking a session', 'after revoking a session', 'before telling Redis of a revocation', 'after telling Redis of a revocation'],
    arrange: async (lane) => {
      const { accessToken, refreshToken } = await newSession(lane);
      return {
        call: (via) => signOut(lane, { accessToken }, via),
        wrong: async (reply) =>
          unless({
            'signing out again is done, or was': reply.outcome === 'ok' || (reply.outcome === 'fail' && reply.code === 'UNAUTHENTICATED'),
            'the access token is dead': !(await isSignedIn(lane, accessToken)),
            'the refresh token is dead': (await refresh(lane, refreshToken, lane.well)).outcome === 'fail',
          }),
      };
    },
  },
];
