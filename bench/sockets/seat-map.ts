import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchRun } from '../bench.js';
import { Arena, type AdmittedPerson } from '../support/arena.js';
import { JobProcess } from '../support/child-process.js';
import { Histogram } from '../support/histogram.js';
import { spreadOf } from '../support/stats.js';
import type { BenchWorld } from '../support/world.js';
import type { ChangeWord, CompareMapsJob, CompareMapsResult, OpenMapsJob, WatchMapsJob, WatchMapsResult } from './map-jobs.js';
import { nowMs } from './watch-jobs.js';

/** Everybody looks at the seats of one date while they go. */

const VIEWERS = 5000;
const SEATS = 1000;
/** Of one buyer, side by side. */
const SEATS_OF_EACH = 10;
const BUYERS = SEATS / SEATS_OF_EACH;
const CHANGES_PER_SECOND = 200;
/** While the viewers come, each of whom waits for a first change. */
const CHANGES_AT_FIRST = 40;
const BEAT_MS = 20;
const DROPPED_PER_SECOND = 50;
const P99_MAX_MS = 300;

export async function timeSeatMap(run: BenchRun): Promise<void> {
  const world = await run.part('stores', () => run.world({ env: { SEATS_PER_USER_MAX: String(SEATS_OF_EACH) } }));
  const arena = Arena.ofFrontrow(world);
  const show = await arena.show(1, SEATS);
  const admitting = run.part('viewers', async () => arena.admit(show, await arena.people(VIEWERS + BUYERS)));
  const [people, api, load] = await Promise.all([admitting, world.frontrow('api'), world.jobs('bench/sockets/map-child.ts'), world.frontrow('worker')]);
  const viewers = join(world.folder, 'viewers.json');
  writeFileSync(viewers, JSON.stringify(people.slice(BUYERS).map(({ accessToken, queueToken }) => ({ accessToken, queueToken }))));
  const buyers = new Buyers(world, load, people.slice(0, BUYERS), show.scheduleIds[0]!);
  const selling = buyers.sell();
  selling.catch(() => undefined);
  try {
    const opening = { kind: 'open', port: api.port, scheduleId: show.scheduleIds[0]!, viewers, seats: SEATS } satisfies OpenMapsJob;
    await run.part('viewers come', () => load.ask(opening));
    buyers.seatsPerSecond = CHANGES_PER_SECOND;
    await watchAll(run, load, api.pid, buyers);
  } finally {
    buyers.stop();
  }
  await selling;
  const compared = await run.part('final map', () => load.ask<CompareMapsResult>({ kind: 'compare' } satisfies CompareMapsJob));
  run.expect(compared.different === 0, `the map of each of ${compared.viewers} viewers is the snapshot in the end${compared.different > 0 ? `: ${compared.different} differ, ${compared.example}` : ''}`);
  run.note(`Seat map: ${VIEWERS} admitted viewers of a date of ${SEATS} seats, while another process of Frontrow reserves and cancels ${CHANGES_PER_SECOND} seats a second, ${SEATS_OF_EACH} by each call; ${DROPPED_PER_SECOND} viewers a second lose their connection and come back after what they know. Delay: from the call that makes the oldest change in a message to the message on each socket, so that the commit and putting changes together count.`);
}

async function watchAll(run: BenchRun, load: JobProcess, pid: number, buyers: Buyers): Promise<void> {
  const { stretches, ms, warmMs } = run.sized({ quick: { stretches: 2, ms: 1500, warmMs: 1000 }, full: { stretches: 5, ms: 5000, warmMs: 5000 } });
  const watch = (forMs: number): Promise<WatchMapsResult> => load.ask({ kind: 'watch', ms: forMs, dropPerSecond: DROPPED_PER_SECOND, pids: [pid] } satisfies WatchMapsJob);
  await watch(warmMs);
  const [startedAt, changesBefore] = [performance.now(), buyers.changes];
  const results: WatchMapsResult[] = [];
  for (let turn = 0; turn < stretches; turn += 1) results.push(await run.part(`viewers, ${turn + 1} of ${stretches}`, () => watch(ms)));
  const changesPerSecond = (buyers.changes - changesBefore) / ((performance.now() - startedAt) / 1000);
  const sum = (value: (result: WatchMapsResult) => number): number => results.reduce((total, result) => total + value(result), 0);
  const seconds = sum((result) => result.seconds);
  const delays = Histogram.of(...results.map((result) => result.delays));
  const p99 = spreadOf(results.map((result) => Histogram.of(result.delays).quantileMs(0.99)));
  run.gate({ name: `${VIEWERS} viewers of a seat map, ${CHANGES_PER_SECOND} changes a second: p99 from the call to the socket`, value: p99.median, min: p99.min, max: p99.max, unit: ' ms', atMost: P99_MAX_MS });
  run.gate({ name: `${VIEWERS} viewers of a seat map: messages to each per second`, value: sum((result) => result.messages) / seconds / VIEWERS, atLeast: 1 });
  run.gate({ name: `${VIEWERS} viewers of a seat map: seats that changed per second`, value: changesPerSecond, atLeast: 0.95 * CHANGES_PER_SECOND });
  run.table({
    title: 'Seat map',
    columns: ['viewers', 'changes/s', 'messages/s', 'share of a core', 'p50 ms', 'p99 ms', 'max ms', 'came back', 'had to load anew'],
    rows: [[VIEWERS, changesPerSecond, sum((result) => result.messages) / seconds, sum((result) => result.cpuUs[0]!) / (seconds * 1e6), delays.quantileMs(0.5), delays.quantileMs(0.99), delays.maxMs, sum((result) => result.dropped), sum((result) => result.resyncs)]],
  });
}

/** Each has some seats side by side, and reserves them or gives them back when the turn comes: by the clock, whether or not those before are through. */
class Buyers {
  changes = 0;
  seatsPerSecond = CHANGES_AT_FIRST;
  readonly #held = new Map<number, string>();
  readonly #acting = new Map<number, Promise<void>>();
  readonly #tokenExpiresAt = new Date(Date.now() + 3_600_000);
  #stopped = false;
  #failed: unknown;

  constructor(
    private readonly world: BenchWorld,
    private readonly load: JobProcess,
    private readonly people: readonly AdmittedPerson[],
    private readonly scheduleId: string,
  ) {}

  stop(): void {
    this.#stopped = true;
  }

  async sell(): Promise<void> {
    let [turn, due, lookedAt] = [0, 0, performance.now()];
    while (!this.#stopped) {
      await delay(BEAT_MS);
      const now = performance.now();
      due += (((now - lookedAt) / 1000) * this.seatsPerSecond) / SEATS_OF_EACH;
      lookedAt = now;
      for (; turn < Math.floor(due); turn += 1) this.#actLater(turn % this.people.length);
      if (this.#failed) throw this.#failed;
    }
    await Promise.all(this.#acting.values());
  }

  /** What one does waits for what the same one did before. */
  #actLater(index: number): void {
    const acting = (this.#acting.get(index) ?? Promise.resolve()).then(() => this.#act(index)).catch((error: unknown) => void (this.#failed ??= error));
    this.#acting.set(index, acting);
  }

  async #act(index: number): Promise<void> {
    const { id: userId, sessionId } = this.people[index]!;
    const viewer = { userId, role: 'USER' as const, sessionId, tokenExpiresAt: this.#tokenExpiresAt };
    const { reservations } = this.world.app.services;
    const seatNumbers = Array.from({ length: SEATS_OF_EACH }, (_, seat) => index * SEATS_OF_EACH + seat + 1);
    const held = this.#held.get(index);
    this.load.tell({ numbers: seatNumbers, status: held ? 'AVAILABLE' : 'HELD', at: nowMs() } satisfies ChangeWord);
    if (held) {
      await reservations.cancel(viewer, held);
      this.#held.delete(index);
    } else this.#held.set(index, (await reservations.reserve(viewer, { scheduleId: this.scheduleId, seatNumbers })).id);
    this.changes += SEATS_OF_EACH;
  }
}
