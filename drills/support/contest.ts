import type { BuiltConcert } from '../../test/support/builder.js';
import type { DrillRun } from '../drill.js';
import { DrillBuyer } from './buyer.js';
import type { DrillClient } from './client.js';
import type { Random } from './random.js';
import type { World } from './world.js';

/** Far more buyers than seats, all on the same few: each takes what it can get, pays for most of it, gives some back and forgets the rest. */
export interface ContestSize {
  buyers: number;
  seats: number;
}

const PRICE = 1000;
const SEATS_ASKED_MAX = 2;
const PAYS = 0.75;
const CANCELS = 0.5;
const THINKS_MS = 60;
const ATTEMPTS_MAX = 500;

/** Answers the buyers. In the end every seat is sold. */
export async function contest(run: DrillRun, world: World, client: DrillClient, { buyers, seats }: ContestSize): Promise<DrillBuyer[]> {
  const concert = await world.build.concert({ seats, price: PRICE });
  const accounts = await world.build.admit(concert.id, await world.build.buyers(buyers, { balance: SEATS_ASKED_MAX * PRICE }));
  const everyone = accounts.map((account) => new DrillBuyer(client, account));
  const left = new Set(Array.from({ length: seats }, (_, index) => index + 1));
  await Promise.all(everyone.map((buyer, index) => buy(run, client, buyer, concert, left, run.random.fork(`contender ${index}`))));
  run.expect(left.size === 0, `${left.size} of ${seats} seats were never sold`);
  return everyone;
}

async function buy(run: DrillRun, client: DrillClient, buyer: DrillBuyer, { scheduleId }: BuiltConcert, left: Set<number>, random: Random): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX && left.size > 0; attempt += 1) {
    const numbers = random.sample([...left], random.between(1, SEATS_ASKED_MAX));
    const hold = await client.untilKnown((via) => buyer.reserve(scheduleId, numbers, via));
    if (hold.outcome === 'ok') {
      if (random.chance(PAYS)) {
        const paid = await client.untilKnown((via) => buyer.pay(hold.value.id, via));
        if (paid.outcome !== 'ok') continue;
        for (const number of numbers) left.delete(number);
        return;
      }
      if (random.chance(CANCELS)) await client.untilKnown((via) => buyer.cancel(hold.value.id, via));
    }
    run.signal.throwIfAborted();
    await client.pause(THINKS_MS);
  }
}
