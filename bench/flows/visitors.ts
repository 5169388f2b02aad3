import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FlowPerson } from '../support/load-jobs.js';
import type { BenchWorld } from '../support/world.js';
import type { Seller } from './sellers.js';

/** A file of people for one load, a seat for each. */
export interface Visitors {
  file: string;
  count: number;
  remove(): void;
}

export interface VisitorOptions {
  /** In the wallet from the start. */
  balance: number;
  /** With a pass, at a seller that asks for one. */
  admitted: boolean;
  datesPerConcert: number;
}

export const SEATS_PER_DATE = 50;
/** People spread over so many dates at a time. */
const DATES_AT_ONCE = 20;
let files = 0;

export async function makeVisitors(world: BenchWorld, { arena, hasLine }: Seller, count: number, { balance, admitted, datesPerConcert }: VisitorOptions): Promise<Visitors> {
  const atOnce = Math.min(datesPerConcert, DATES_AT_ONCE);
  // Whole groups of dates, so that everybody has a seat.
  const perShow = datesPerConcert * SEATS_PER_DATE;
  const people = await arena.people(Math.ceil(count / perShow) * perShow, balance);
  const visitors: FlowPerson[] = [];
  for (let from = 0; from < people.length; from += perShow) {
    const show = await arena.show(datesPerConcert, SEATS_PER_DATE);
    const here = people.slice(from, from + perShow);
    const admittedHere = admitted && hasLine ? await arena.admit(show, here) : here.map((person) => ({ ...person, queueToken: '' }));
    for (const [index, { accessToken, queueToken }] of admittedHere.entries()) {
      const group = Math.floor(index / (atOnce * SEATS_PER_DATE));
      const within = index % (atOnce * SEATS_PER_DATE);
      const scheduleId = show.scheduleIds[group * atOnce + (within % atOnce)]!;
      visitors.push({ accessToken, queueToken, concertId: show.concertId, scheduleId, seat: Math.floor(within / atOnce) + 1, amount: 10_000 });
    }
  }
  const file = join(world.folder, `visitors-${(files += 1)}.json`);
  writeFileSync(file, JSON.stringify(visitors));
  return { file, count: visitors.length, remove: () => rmSync(file) };
}
