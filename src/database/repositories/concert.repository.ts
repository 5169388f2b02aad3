import type { EntityManager } from '@mikro-orm/mysql';
import { LockMode } from '@mikro-orm/mysql';
import type { GradePrice } from '../../domain/catalogue.js';
import { notFound } from '../../domain/errors.js';
import { Concert } from '../entities/concert.entity.js';
import { ConcertPrice } from '../entities/concert-price.entity.js';

/** The concert, locked until the transaction ends: its prices and its dates change one after the other. */
export async function lockConcert(em: EntityManager, id: string): Promise<Concert> {
  const concert = await em.findOne(Concert, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE });
  if (!concert) throw notFound('concert');
  return concert;
}

/** Price by grade. */
export async function pricesOfConcert(em: EntityManager, concertId: string): Promise<Map<string, number>> {
  const prices = await em.find(ConcertPrice, { concertId });
  return new Map(prices.map(({ grade, amount }) => [grade, amount]));
}

export async function putPrices(em: EntityManager, concertId: string, prices: readonly GradePrice[]): Promise<void> {
  await em.execute(
    `insert into concert_price (concert_id, grade, amount) values ${prices.map(() => '(?, ?, ?)').join(', ')} on duplicate key update amount = values(amount)`,
    prices.flatMap(({ grade, amount }) => [concertId, grade, amount]),
    'run',
  );
}
