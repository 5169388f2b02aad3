import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { v7 as uuid } from 'uuid';
import { TokenService } from '../../src/services/token.service.js';
import type { Credentials } from '../../test/support/client.js';
import type { BuiltConcert } from '../../test/support/builder.js';
import * as operations from '../../test/graphql/operations.js';
import type { DrillRun } from '../drill.js';
import type { DrillBuyer } from './buyer.js';
import type { Call, DrillClient, Reply } from './client.js';
import type { QueuePeople } from './queue-people.js';
import type { LineEvent } from './queue-model.js';
import type { Random } from './random.js';

/** People without a pass who try every door: without any token, with forged, stolen, outdated and waiting ones, and those who join again and again. Nobody gets in. */

interface Attempt {
  kind: string;
  /** Who sends it; nobody without a session. */
  userId: string;
  credentials: Credentials;
  at: BuiltConcert;
  /** Which refusals are right at the doors behind the queue. */
  refused: readonly string[];
}

/** Every tenth of the flood joins once more where it waits already. */
const JOINS = 0.1;
/** `pay` also looks for the hold, which is never one's own. */
const REFUSED_PAY = ['NOT_FOUND', 'UNAUTHENTICATED', 'QUEUE_TOKEN_REQUIRED'];
const PAUSE_MS = 100;
const TOKEN_MS = 3_600_000;
const PEEK = 'waits at this very line';

export interface Doors {
  /** Where a line moves. */
  open: BuiltConcert;
  /** Where nobody is ever admitted. */
  shut: BuiltConcert;
}

export class QueueFlood {
  readonly #forger = new TokenService('not the secret of these processes at all', TOKEN_MS, TOKEN_MS);
  readonly #random: Random;
  readonly #forged = new Map<string, string[]>();
  readonly counts: Record<string, number> = {};
  answered = 0;
  #turn = 0;

  private constructor(
    private readonly run: DrillRun,
    private readonly client: DrillClient,
    private readonly doors: Doors,
    private readonly people: QueuePeople,
    /** They wait where nobody is admitted. */
    private readonly intruders: readonly DrillBuyer[],
  ) {
    this.#random = run.random.fork('flood');
  }

  static async open(run: DrillRun, client: DrillClient, doors: Doors, people: QueuePeople, intruders: readonly DrillBuyer[]): Promise<QueueFlood> {
    const flood = new QueueFlood(run, client, doors, people, intruders);
    for (const intruder of intruders) {
      const joined = await client.untilKnown((via) => intruder.join(doors.shut.id, via));
      run.expect(joined.outcome === 'ok', 'everybody may join a line that does not move');
      flood.#forged.set(intruder.id, await flood.#forgeriesOf(intruder));
    }
    return flood;
  }

  /** So many calls that were answered, `atOnce` under way. */
  async pour(calls: number, atOnce: number): Promise<void> {
    let left = calls;
    const one = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const outcome = this.#random.chance(JOINS) ? (await this.#nextToJoin().join(this.doors.shut.id)).outcome : await this.#intrude();
        if (outcome !== 'unknown') this.answered += 1;
        else {
          left += 1;
          await this.client.pause(PAUSE_MS);
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, one));
  }

  /** Those who looked through the door of the line they wait in were let in only after their admission. */
  judgePeeks(events: readonly LineEvent[]): void {
    const firstAdmission = new Map<string, number>();
    for (const { type, userId, at } of events) if (type === 'QUEUE_ADMITTED' && !firstAdmission.has(userId)) firstAdmission.set(userId, at);
    const { history } = this.run;
    const early = history.named('intrude seats').filter(({ outcome, process, endedAt }) => outcome === 'ok' && history.beganAt + endedAt! + 1 < (firstAdmission.get(process) ?? Infinity));
    this.run.violations(early.map((operation) => ({ kind: 'let-in', what: 'somebody was let in before the admission', operations: [operation] })));
  }

  /** In turn: whoever joins again is there, and keeps the place. */
  #nextToJoin(): DrillBuyer {
    return this.intruders[(this.#turn += 1) % this.intruders.length]!;
  }

  async #intrude(): Promise<Reply<unknown>['outcome']> {
    const attempt = this.#attempt();
    this.counts[attempt.kind] = (this.counts[attempt.kind] ?? 0) + 1;
    const { scheduleId } = attempt.at;
    // A seat taken by somebody who is admitted a moment later would be theirs.
    const door = attempt.kind === PEEK ? 0 : this.#random.below(3);
    if (door === 0) return this.#knock(attempt, 'seats', operations.SeatsDocument, { scheduleId, status: 'AVAILABLE' }, attempt.refused);
    if (door === 1) return this.#knock(attempt, 'reserve', operations.ReserveDocument, { input: { scheduleId, seatNumbers: [1 + this.#random.below(10)] } }, attempt.refused);
    const hold = this.people.reservations.length > 0 ? this.#random.pick(this.people.reservations) : null;
    // One's own hold is paid with a token in any state: the hold stands for the pass.
    const reservationId = hold && hold.userId !== attempt.userId ? hold.id : uuid();
    return this.#knock(attempt, 'pay', operations.PayDocument, { input: { reservationId } }, REFUSED_PAY);
  }

  async #knock<Data, Variables>({ kind, userId, credentials }: Attempt, door: string, document: TypedDocumentNode<Data, Variables>, variables: Variables, refused: readonly string[]): Promise<Reply<unknown>['outcome']> {
    const call: Call<Data, Variables, unknown> = {
      process: userId, name: `intrude ${door}`, args: { kind }, document, variables, credentials, read: (data) => data, keep: () => undefined,
    };
    const reply = await this.client.call(call);
    const isPeek = kind === PEEK;
    const isRight = reply.outcome === 'unknown' || (reply.outcome === 'ok' ? isPeek : refused.includes(reply.code));
    if (!isRight) this.run.violations([{ kind: 'let-in', what: `${door} by somebody uninvited (${kind}) was answered ${reply.outcome === 'ok' ? 'ok' : reply.code}`, operations: [reply.operation] }]);
    return reply.outcome;
  }

  #attempt(): Attempt {
    const random = this.#random;
    const intruder = random.pick(this.intruders);
    const { arrived, outdated } = this.people;
    const { open, shut } = this.doors;
    const anywhere = random.chance(0.8) ? open : shut;
    const noToken = (): Attempt => as('no token', intruder, undefined, anywhere, 'QUEUE_TOKEN_REQUIRED');
    const as = (kind: string, { id, account }: DrillBuyer, queueToken: string | undefined, at: BuiltConcert, ...refused: string[]): Attempt => ({
      kind, userId: id, credentials: { accessToken: account.accessToken, ...(queueToken && { queueToken }) }, at, refused,
    });
    const kinds: (() => Attempt | null)[] = [
      noToken,
      () => ({ kind: 'no session', userId: 'nobody', credentials: { queueToken: intruder.queueToken! }, at: anywhere, refused: ['UNAUTHENTICATED'] }),
      () => as('forged', intruder, random.pick(this.#forged.get(intruder.id)!), anywhere, 'QUEUE_TOKEN_REQUIRED'),
      () => as('waits', intruder, intruder.queueToken, shut, 'QUEUE_TOKEN_WAITING'),
      () => as('waits for something else', intruder, intruder.queueToken, open, 'QUEUE_TOKEN_REQUIRED'),
      () => (arrived.length > 0 ? as('stolen', intruder, random.pick(arrived).queueToken, open, 'QUEUE_TOKEN_REQUIRED') : null),
      () => {
        const old = outdated.length > 0 ? random.pick(outdated) : null;
        return old && as('outdated', old.buyer, old.queueToken, open, 'QUEUE_TOKEN_EXPIRED');
      },
      () => {
        const member = arrived.length > 0 ? random.pick(arrived) : null;
        return member && as(PEEK, member, member.queueToken, open, 'QUEUE_TOKEN_WAITING', 'QUEUE_TOKEN_EXPIRED');
      },
    ];
    return random.pick(kinds)() ?? noToken();
  }

  /** Of another secret, of no secret, a real one changed, and a real one of the other kind. */
  async #forgeriesOf({ id: userId, queueToken, account }: DrillBuyer): Promise<string[]> {
    const claims = { concertId: this.doors.open.id, userId, place: 1 };
    const forged = await this.#forger.signQueue(claims, new Date());
    const [head, body] = forged.split('.');
    const none = `${Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url')}.${body}.`;
    const changed = [head, body, (queueToken ?? forged).split('.')[2]].join('.');
    return [forged, none, changed, account.accessToken, 'x'.repeat(200)];
  }
}
