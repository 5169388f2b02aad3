import { ChargeDocument, PayDocument, ReserveDocument, SeatsDocument } from '../../test/graphql/operations.js';
import type { AdmittedBuyer, Buyer } from '../../test/support/builder.js';
import type { BenchRun } from '../bench.js';
import { idOf } from '../support/ids.js';
import { requestOf } from '../support/http-connection.js';
import { interleave, WARM_UP } from '../support/interleave.js';
import { Load, sampleOf } from '../support/load.js';
import { bodyOf } from '../support/operations.js';
import type { Server } from '../support/process.js';
import { medianOf, metricOf, type Rounds, type Sample } from '../support/stats.js';
import type { BenchWorld } from '../support/world.js';
import { addConcert } from '../support/rows.js';

/** The same writes as clients send them: through GraphQL over HTTP, with every guard on, beside a read of 50 seats of the same server. */

const READ = 'read of 50 seats';
const STEPS = [READ, 'reserve', 'pay', 'charge'] as const;
type Step = (typeof STEPS)[number];
/** A quick run leaves out what is only shown beside. */
const COMPARED: readonly Step[] = [READ, 'reserve'];
/** In the answer that is no refusal. */
const SUCCEEDS: Record<Step, string> = { [READ]: '"number"', reserve: '"__typename":"Reservation"', pay: '"__typename":"Payment"', charge: '"__typename":"Charge"' };

const CONNECTIONS = { quick: [64], full: [1, 8, 64, 256] };
const COMPARED_AT = 64;
const BALANCE = 1_000_000_000;
const WARM_UP_TURNS = { quick: 3, full: 4 };
/** Of the concerts that are made elsewhere in this bench. */
const FIRST_CONCERT = 10_000;

export async function overHttp(run: BenchRun, world: BenchWorld): Promise<void> {
  const arranging = world.build.buyers(run.sized({ quick: 1000, full: 5000 }), { balance: BALANCE });
  const [api, worker, load, buyers] = await Promise.all([world.frontrow('api'), world.frontrow('worker'), Load.start(world), arranging]);
  const steps = run.sized({ quick: COMPARED, full: STEPS });
  const sales = new Sales(world, api, load, buyers, steps);
  const rows: (string | number)[][] = [];
  for (const connections of run.sized(CONNECTIONS)) {
    const title = `${connections} connections`;
    const rounds = apart(steps, await interleave(run, title, [{ name: title, measure: (round) => sales.hold(connections, round === WARM_UP ? run.sized(WARM_UP_TURNS) : 1) }], run.sized({ quick: 2, full: 5 })));
    rows.push(...steps.map((step) => [`${step}, ${title}`, ...FIGURES.map((figure) => medianOf(metricOf(rounds, step, figure)))]));
    if (connections !== COMPARED_AT) continue;
    run.compare(`reserve over HTTP, ${title}: rate to that of a ${READ}`, rounds, { of: 'reserve', to: READ, metric: 'perSecond', better: 'higher', wanted: { atLeast: 0.5 } });
  }
  run.table({ title: 'Through GraphQL over HTTP', columns: ['', 'per second', 'server µs', 'p50 ms', 'p95 ms'], rows });
  await Promise.all([api, worker].map((server) => server.stop()));
}

const FIGURES = ['perSecond', 'cpuUs', 'p50Ms', 'p95Ms'] as const;

class Sales {
  #concerts = FIRST_CONCERT;

  constructor(
    private readonly world: BenchWorld,
    private readonly api: Server,
    private readonly load: Load,
    private readonly buyers: readonly Buyer[],
    private readonly steps: readonly Step[],
  ) {}

  /** Figures of the last turn. */
  async hold(connections: number, turns: number): Promise<Sample> {
    for (let turn = 1; turn < turns; turn += 1) await this.#hold(connections);
    return this.#hold(connections);
  }

  /** Everybody takes each step once; figures of each under its name. One alone takes a part of them, or it would take too long. */
  async #hold(connections: number): Promise<Sample> {
    const { id, scheduleId, n } = await this.#concert();
    const buyers = await this.world.build.admit(id, this.buyers.slice(0, Math.min(this.buyers.length, connections * 200)));
    const held = async (): Promise<string[]> => {
      const reservations = await this.#reservationsOf(scheduleId);
      return buyers.map((buyer) => this.#request(buyer, bodyOf(PayDocument, { input: { reservationId: reservations.get(buyer.id)! } })));
    };
    const small = await this.world.build.concert({ seats: 50 });
    const readers = await this.world.build.admit(small.id, this.buyers.slice(0, 64) as Buyer[]);
    const requestsFor: Record<Step, () => string[] | Promise<string[]>> = {
      [READ]: () => buyers.map((_, index) => this.#request(readers[index % readers.length]!, bodyOf(SeatsDocument, { scheduleId: small.scheduleId }))),
      reserve: () => buyers.map((buyer, index) => this.#request(buyer, bodyOf(ReserveDocument, { input: { scheduleId, seatNumbers: [index + 1] } }))),
      pay: held,
      charge: () => buyers.map((buyer) => this.#request(buyer, bodyOf(ChargeDocument, { input: { amount: 1000, idempotencyKey: `http ${n}` } }))),
    };
    const sample: Record<string, number> = {};
    for (const step of this.steps) {
      const result = await this.load.requests({ port: this.api.port, connections, requests: await requestsFor[step](), succeeds: SUCCEEDS[step], pids: [this.api.pid] });
      if (result.errors > 0) throw new Error(`${step}: ${result.errors} errors: ${result.firstErrors.join('\n')}`);
      for (const [figure, value] of Object.entries(sampleOf(result))) sample[`${step} ${figure}`] = value;
    }
    return sample;
  }

  async #concert(): Promise<{ id: string; scheduleId: string; n: number }> {
    const n = (this.#concerts += 1);
    await addConcert(this.world.app.transactions.fork(), n, this.buyers.length, 0);
    return { id: idOf('concert', n), scheduleId: idOf('schedule', n), n };
  }

  #request({ accessToken, queueToken }: AdmittedBuyer, body: string): string {
    return requestOf(body, { accessToken, queueToken });
  }

  async #reservationsOf(scheduleId: string): Promise<Map<string, string>> {
    const rows = await this.world.app.transactions.fork().execute<{ id: string; userId: string }[]>('select id, user_id as userId from reservation where schedule_id = ?', [scheduleId]);
    return new Map(rows.map(({ id, userId }) => [userId, id]));
  }
}

/** Each step as if it were a side of its own: all of them were measured in every round. */
function apart(steps: readonly Step[], rounds: Rounds): Rounds {
  const [samples] = [...rounds.values()];
  return new Map(steps.map((step) => [step, samples!.map((sample) => Object.fromEntries(FIGURES.map((figure) => [figure, sample[`${step} ${figure}`]!])))]));
}
