import type { DrillRun } from '../drill.js';
import { DrillBuyer } from './buyer.js';
import type { DrillClient } from './client.js';
import type { World } from './world.js';

/** A signed token ends by the clock of the process that checks it, early where that is ahead and late where it is behind; and that is all. */

const PASS_MS = 3_600_000;

/** How far each API process is ahead. */
export async function expectTokensEndByClock(run: DrillRun, world: World, client: DrillClient, offsetsMs: ReadonlyMap<string, number>): Promise<void> {
  const { tokens, config } = world.app;
  const concert = await world.build.concert({ seats: 1 });
  const [account] = await world.build.admit(concert.id, await world.build.buyers(1), PASS_MS);
  const offsets = [...offsetsMs.values()];
  // Between two clocks each: one of them says over, the other not yet.
  const lefts = offsets.flatMap((offset) => offsets.filter((other) => other > offset).map((other) => (offset + other) / 2));
  const place = (JSON.parse(Buffer.from(account!.queueToken.split('.')[1]!, 'base64url').toString()) as { place: number }).place;
  let looks = 0;
  for (const leftMs of new Set([...lefts, Math.min(...offsets) - PASS_MS, Math.max(...offsets) + config.accessTokenTtlMs / 4])) {
    const { token: accessToken } = await tokens.signAccess({ id: account!.id, role: 'USER' }, account!.sessionId, new Date(Date.now() + leftMs - config.accessTokenTtlMs));
    const queueToken = await tokens.signQueue({ concertId: concert.id, userId: account!.id, place }, new Date(Date.now() + leftMs - config.queue.tokenTtlMs));
    for (const api of world.apis) {
      const isOver = offsetsMs.get(api.name)! >= leftMs;
      const signedIn = await new DrillBuyer(client, { ...account!, accessToken }).me(api);
      const codeIn = signedIn.outcome === 'ok' ? 'ok' : signedIn.code;
      run.expect((codeIn === 'ok') === !isOver, `an access token with ${leftMs / 1000} s left is ${isOver ? 'over' : 'good'} at ${api.name}: ${codeIn}`);
      const seats = await new DrillBuyer(client, { ...account!, queueToken }).seats(concert.scheduleId, 'AVAILABLE', api);
      const codeSeats = seats.outcome === 'ok' ? 'ok' : seats.code;
      run.expect((codeSeats === 'ok') === !isOver, `a queue token with ${leftMs / 1000} s left is ${isOver ? 'over' : 'good'} at ${api.name}: ${codeSeats}`);
      looks += 2;
    }
  }
  run.figure('tokens looked at by processes whose clocks differ', looks);
}
