import { Refusal } from '../domain/refusals.js';

/** A refusal has rolled its transaction back by being thrown; here it becomes a member of the result union. */
export async function orRefusal<T>(work: Promise<T>): Promise<T | RefusalMember> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Refusal) return memberOf(error);
    throw error;
  }
}

export type RefusalMember = Pick<Refusal, 'typeName' | 'message'>;

/** A copy that is no Error: GraphQL throws an Error that a resolver returns. */
const memberOf = (refusal: Refusal): RefusalMember => ({ ...refusal, message: refusal.message });
