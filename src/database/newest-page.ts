import type { EntityManager, EntityName, FilterQuery, QueryOrderMap } from '@mikro-orm/mysql';
import { idOfCursor, pageOf, type Page } from '../domain/cursor.js';
import { pageSizeOf } from '../domain/input.js';

/** One page of a list, newest first, as the arguments `first` and `after` of a field ask for it. */
export async function newestPage<T extends { id: string }>(em: EntityManager, entity: EntityName<T>, first: number, after: string | null): Promise<Page<T>> {
  const size = pageSizeOf('first', first);
  const where = after === null ? {} : { id: { $lt: idOfCursor('after', after) } };
  return pageOf(await em.find(entity, where as FilterQuery<T>, { orderBy: { id: 'desc' } as QueryOrderMap<T>, limit: size + 1 }), size);
}
