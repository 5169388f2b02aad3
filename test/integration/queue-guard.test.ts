import { graphql, type GraphQLSchema } from 'graphql';
import { Arg, Field, FieldResolver, ID, Mutation, ObjectType, Query, Resolver, Root } from 'type-graphql';
import type { RequestError } from '../../src/domain/errors.js';
import { applyGuards, BehindQueue, Public, SignedIn } from '../../src/resolvers/access.js';
import { buildSchema } from '../../src/schema/build-schema.js';
import type { Buyer } from '../support/builder.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { queueOf } from '../support/queue.js';
import { viewerOf } from '../support/sale.js';

@ObjectType('ToyDate')
class ToyDate {
  @Field(() => ID)
  scheduleId!: string;

  @BehindQueue({ scheduleId: (_args, date: { scheduleId: string }) => date.scheduleId, countsAttempt: false })
  @Field(() => String)
  backstage!: string;

  @Field(() => String)
  poster!: string;
}

@Resolver(() => ToyDate)
class ToyResolver {
  @Public()
  @Query(() => ToyDate)
  openDate(@Arg('scheduleId', () => ID) scheduleId: string): ToyDate {
    return { scheduleId, backstage: 'a plain field', poster: 'for everyone' };
  }

  @SignedIn()
  @BehindQueue({ scheduleId: (args: { scheduleId: string }) => args.scheduleId, countsAttempt: false })
  @Query(() => String)
  guardedRoot(@Arg('scheduleId', () => ID) _scheduleId: string): string {
    return 'a root field';
  }

  @SignedIn()
  @Mutation(() => String)
  takenOut(@Arg('scheduleId', () => ID) _scheduleId: string): string {
    return 'in front of the queue';
  }

  @BehindQueue({ scheduleId: (_args, date: { scheduleId: string }) => date.scheduleId, countsAttempt: false })
  @FieldResolver(() => String)
  computed(@Root() _date: ToyDate): string {
    return 'a computed field';
  }
}

/** Asked one at a time: an error in a field that may not be null would hide the others. */
const FIELDS = {
  guardedRoot: 'guardedRoot(scheduleId: $id)',
  poster: 'openDate(scheduleId: $id) { poster }',
  backstage: 'openDate(scheduleId: $id) { backstage }',
  computed: 'openDate(scheduleId: $id) { computed }',
};

let frontrow: Frontrow;
let schema: GraphQLSchema;
beforeAll(async () => {
  frontrow = await startFrontrow();
  schema = applyGuards(await buildSchema([ToyResolver]));
});
afterAll(() => frontrow.stop());

/** The error code of each field; `passed` without one. */
async function codesOf(buyer: Buyer | null, queueToken: string | null, scheduleId: string): Promise<Record<string, string>> {
  const contextValue = { viewer: buyer && viewerOf(buyer), queueToken, services: frontrow.app.services };
  const codes: Record<string, string> = {};
  for (const [field, selection] of Object.entries(FIELDS)) {
    const { errors } = await graphql({ schema, source: `query ($id: ID!) { ${selection} }`, variableValues: { id: scheduleId }, contextValue });
    codes[field] = errors ? (errors[0]!.originalError as RequestError).code : 'passed';
  }
  return codes;
}

test('Q12: one decorator puts a root field, a computed field and a plain field behind the queue, and its absence leaves a field in front', async () => {
  const concert = await frontrow.build.concert();
  const buyer = await frontrow.build.buyer();
  const queue = queueOf(frontrow);
  const codes = (who: Buyer | null, token: string | null) => codesOf(who, token, concert.scheduleId);
  const all = (code: string) => ({ guardedRoot: code, poster: 'passed', backstage: code, computed: code });
  expect(await codes(null, null)).toEqual(all('UNAUTHENTICATED'));
  expect(await codes(buyer, null)).toEqual(all('QUEUE_TOKEN_REQUIRED'));
  const { token } = await queue.join(buyer, concert.id);
  expect(await codes(buyer, token)).toEqual(all('QUEUE_TOKEN_WAITING'));
  await queue.tick();
  expect(await codes(buyer, token)).toEqual(all('passed'));
  await queue.leave(buyer, concert.id);
  expect(await codes(buyer, token)).toEqual(all('QUEUE_TOKEN_EXPIRED'));
  const takenOut = await graphql({
    schema,
    source: 'mutation ($id: ID!) { takenOut(scheduleId: $id) }',
    variableValues: { id: concert.scheduleId },
    contextValue: { viewer: viewerOf(buyer), queueToken: null, services: frontrow.app.services },
  });
  expect(takenOut.data).toEqual({ takenOut: 'in front of the queue' });
});

test('Q12: a schema with a field behind the queue but open to everyone does not start', async () => {
  @Resolver()
  class Contradiction {
    @Public()
    @BehindQueue({ scheduleId: (args: { scheduleId: string }) => args.scheduleId, countsAttempt: false })
    @Query(() => String)
    contradiction(@Arg('scheduleId', () => ID) scheduleId: string): string {
      return scheduleId;
    }
  }
  const built = await buildSchema([Contradiction]);
  expect(() => applyGuards(built)).toThrow('Query.contradiction is behind the queue, so it must need sign-in too.');
});
