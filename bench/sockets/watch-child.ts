import { setTimeout as delay } from 'node:timers/promises';
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { topics } from '../../src/redis/pubsub.js';
import { answerJobs } from '../support/answer-jobs.js';
import { stayAwake } from '../support/awake.js';
import { cpuUsOf } from '../support/cpu.js';
import { Histogram } from '../support/histogram.js';
import { WsConnection } from '../support/ws-connection.js';
import { nowMs, type OpenJob, type OpenResult, type SocketsJob, type Stretch, type WatchJob, type WatchResult } from './watch-jobs.js';

/** Thousands of people who wait, each on a websocket of their own. */

/** So many are connecting at a time: fewer than the server lets be unacknowledged. */
const AT_ONCE = 400;
const PROTOCOL = 'graphql-transport-ws';
/** By then everybody has heard of a telling, and the next is far off: what is counted between two such moments is whole tellings. */
const BETWEEN_MS = 500;
const TELLING_PATIENCE_MS = 10_000;
const SENT_AT = /"sentAt":([\d.]+)/;

let open = 0;
let lost = 0;
let why = '';
let heard: (payload: Buffer) => void = () => undefined;

async function openAll({ port, subscription, tokens, from, to }: OpenJob): Promise<OpenResult> {
  const all = JSON.parse(readFileSync(tokens, 'utf8')) as string[];
  const startedAt = performance.now();
  let next = from;
  const openNext = async (): Promise<void> => {
    while (next < to) await openOne(port, all[next++]!, subscription);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, openNext));
  return { open, seconds: (performance.now() - startedAt) / 1000 };
}

/** Resolves with its first message of what was subscribed to. */
function openOne(port: number, token: string, subscription: OpenJob['subscription']): Promise<void> {
  return new Promise((resolve, reject) => {
    let isOpen = false;
    const ready = (): void => {
      isOpen = true;
      open += 1;
      resolve();
    };
    new WsConnection(open, port, subscription ? PROTOCOL : null, {
      onOpen: (connection) => {
        if (!subscription) return ready();
        connection.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
      },
      onText: (connection, payload) => {
        if (isOpen) return heard(payload);
        const text = payload.toString();
        if (text.includes('"connection_ack"')) return connection.send(JSON.stringify({ id: '1', type: 'subscribe', payload: subscription }));
        if (text.includes('"next"') && !text.includes('"errors"')) return ready();
        reject(new Error(`Instead of a first message: ${text}`));
      },
      onClose: (_, reason) => {
        if (!isOpen) return reject(new Error(`A socket did not open: ${reason}`));
        open -= 1;
        lost += 1;
        why ||= reason;
      },
    });
  });
}

async function watch({ stretches, tellings, told, pids }: WatchJob): Promise<WatchResult> {
  const clock = await TellingClock.start(told);
  lost = 0;
  const results: Stretch[] = [];
  await clock.between(1);
  const rest = stayAwake();
  try {
    for (let turn = 0; turn < stretches; turn += 1) {
      const delays = new Histogram();
      let messages = 0;
      heard = (payload) => {
        messages += 1;
        const at = clock.toldAt(payload);
        if (at > 0) delays.add(nowMs() - at);
      };
      const [startedAt, before] = [performance.now(), pids.map(cpuUsOf)];
      const overRedis = await clock.between(tellings);
      results.push({ seconds: (performance.now() - startedAt) / 1000, messages, overRedis, delays: delays.times(), cpuUs: pids.map((pid, index) => cpuUsOf(pid) - before[index]!) });
    }
  } finally {
    rest();
    heard = () => undefined;
    clock.stop();
  }
  return { stretches: results, lost, why };
}

/** When everybody is told anew, by what is told over Redis or by the messages themselves. */
class TellingClock {
  #last = 0;
  /** Of whatever kind, but for heartbeats. */
  #overRedis = 0;
  #subscriber: Redis | null = null;
  #onTelling: () => void = () => undefined;

  static async start(told: WatchJob['told']): Promise<TellingClock> {
    const clock = new TellingClock();
    if (told === 'in the message') heard = (payload) => void clock.toldAt(payload);
    else await clock.#subscribe(told);
    return clock;
  }

  stop(): void {
    this.#subscriber?.disconnect();
  }

  toldAt(payload: Buffer): number {
    if (this.#subscriber) return this.#last;
    const at = Number(SENT_AT.exec(payload.toString('latin1'))?.[1]);
    if (at > this.#last) this.#note(at);
    return at;
  }

  /** Until so many tellings from now on, and a while more each time; answers the messages over Redis of each. */
  async between(tellings: number): Promise<number[]> {
    const overRedis: number[] = [];
    for (let turn = 0; turn < tellings; turn += 1) {
      const before = this.#overRedis;
      await this.#next();
      await delay(BETWEEN_MS);
      overRedis.push(this.#overRedis - before);
    }
    return overRedis;
  }

  #next(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('Nobody is told anything.')), TELLING_PATIENCE_MS);
      this.#onTelling = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #subscribe({ redis, topic }: { redis: string; topic: string }): Promise<void> {
    this.#subscriber = new Redis(redis);
    await this.#subscriber.psubscribe('*');
    this.#subscriber.on('pmessage', (_pattern, of: string, text: string) => {
      const isMove = text.includes('"moved":true');
      // Two each 5 s say nothing but that all is alive; whether they fall into a telling or beside it is chance.
      if (isMove || !(of === topics.queuesBeat() || text.includes('"heartbeat":true'))) this.#overRedis += 1;
      if (of === topic && isMove) this.#note(nowMs());
    });
  }

  #note(at: number): void {
    this.#last = at;
    this.#onTelling();
  }
}

answerJobs<SocketsJob>((job) => (job.kind === 'open' ? openAll(job) : watch(job)));
