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
const CHANGES_PER_SECOND = 200;
const BEAT_MS = 50;
const DROPPED_PER_SECOND = 50;
const P99_MAX_MS = 300;

export async function timeSeatMap(run: BenchRun): Promise<void> {
  const world = await run.part('stores', () => run.world());
  const arena = Arena.ofFrontrow(world);
  const show = await arena.show(1, SEATS);
  const people = await run.part('viewers', async () => arena.admit(show, await arena.people(VIEWERS + SEATS)));
  const api = await world.frontrow('api');
  await world.frontrow('worker');
  const load = await JobProcess.start('bench/sockets/map-child.ts', world.folder);
  run.closing(() => load.close());
  const viewers = join(world.folder, 'viewers.json');
  writeFileSync(viewers, JSON.stringify(people.slice(SEATS).map(({ accessToken, queueToken }) => ({ accessToken, queueToken }))));
  const buyers = new Buyers(world, load, people.slice(0, SEATS), show.scheduleIds[0]!);
  const selling = buyers.sell();
  try {
    const opening = { kind: 'open', port: api.port, scheduleId: show.scheduleIds[0]!, viewers, seats: SEATS } satisfies OpenMapsJob;
    await run.part('viewers come', () => load.ask(opening));
    await watchAll(run, load, api.pid, buyers);
  } finally {
    buyers.stop();
  }
  await selling;
  const compared = await run.part('final map', () => load.ask<CompareMapsResult>({ kind: 'compare' } satisfies CompareMapsJob));
  run.expect(compared.different === 0, `the map of each of ${compared.viewers} viewers is the snapshot in the end${compared.different > 0 ? `: ${compared.different} differ, ${compared.example}` : ''}`);
  run.note(`Seat map: ${VIEWERS} admitted viewers of a date of ${SEATS} seats, while another process of Frontrow reserves and cancels ${CHANGES_PER_SECOND} seats a second; ${DROPPED_PER_SECOND} viewers a second lose their connection and come back after what they know. Delay: from the call that makes the oldest change in a message to the message on each socket, so that the commit and putting changes together count.`);
}

async function watchAll(run: BenchRun, load: JobProcess, pid: number, buyers: Buyers): Promise<void> {
  const { stretches, ms } = run.sized({ quick: { stretches: 2, ms: 2500 }, full: { stretches: 5, ms: 5000 } });
  const watch = (): Promise<WatchMapsResult> => load.ask({ kind: 'watch', ms, dropPerSecond: DROPPED_PER_SECOND, pids: [pid] } satisfies WatchMapsJob);
  await watch();
  const changesBefore = buyers.changes;
  const results: WatchMapsResult[] = [];
  for (let turn = 0; turn < stretches; turn += 1) results.push(await run.part(`viewers, ${turn + 1} of ${stretches}`, watch));
  const sum = (value: (result: WatchMapsResult) => number): number => results.reduce((total, result) => total + value(result), 0);
  const seconds = sum((result) => result.seconds);
  const delays = Histogram.of(...results.map((result) => result.delays));
  const p99 = spreadOf(results.map((result) => Histogram.of(result.delays).quantileMs(0.99)));
  run.gate({ name: `${VIEWERS} viewers of a seat map, ${CHANGES_PER_SECOND} changes a second: p99 from the call to the socket`, value: p99.median, min: p99.min, max: p99.max, unit: ' ms', atMost: P99_MAX_MS });
  run.gate({ name: `${VIEWERS} viewers of a seat map: messages to each per second`, value: sum((result) => result.messages) / seconds / VIEWERS, atLeast: 1 });
  run.table({
    title: 'Seat map',
    columns: ['viewers', 'changes/s', 'messages/s', 'share of a core', 'p50 ms', 'p99 ms', 'max ms', 'came back', 'had to load anew'],
    rows: [[VIEWERS, (buyers.changes - changesBefore) / seconds, sum((result) => result.messages) / seconds, sum((result) => result.cpuUs[0]!) / (seconds * 1e6), delays.quantileMs(0.5), delays.quantileMs(0.99), delays.maxMs, sum((result) => result.dropped), sum((result) => result.resyncs)]],
  });
}

/** One for each seat, who reserves it or gives it back when the turn comes. */
class Buyers {
  changes = 0;
  readonly #held = new Map<number, string>();
  #stopped = false;

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
    const startedAt = performance.now();
    const tokenExpiresAt = new Date(Date.now() + 3_600_000);
    let turn = 0;
    while (!this.#stopped) {
      const due = Math.floor(((performance.now() - startedAt) / 1000) * CHANGES_PER_SECOND);
      const changes: Promise<void>[] = [];
      for (; turn < due; turn += 1) changes.push(this.#change(turn % this.people.length, tokenExpiresAt));
      await Promise.all(changes);
      await delay(BEAT_MS);
    }
  }

  async #change(index: number, tokenExpiresAt: Date): Promise<void> {
    const { id: userId, sessionId } = this.people[index]!;
    const viewer = { userId, role: 'USER' as const, sessionId, tokenExpiresAt };
    const { reservations } = this.world.app.services;
    const held = this.#held.get(index);
    this.load.tell({ number: index + 1, status: held ? 'AVAILABLE' : 'HELD', at: nowMs() } satisfies ChangeWord);
    if (held) {
      await reservations.cancel(viewer, held);
      this.#held.delete(index);
    } else this.#held.set(index, (await reservations.reserve(viewer, { scheduleId: this.scheduleId, seatNumbers: [index + 1] })).id);
    this.changes += 1;
  }
}
