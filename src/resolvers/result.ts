import { Refusal } from '../domain/refusals.js';

/** A refusal has rolled its transaction back by being thrown; here it becomes a member of the result union. */
export async function orRefusal<T>(work: Promise<T>): Promise<T | Refusal> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}
