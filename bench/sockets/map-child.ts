import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { answerJobs } from '../support/answer-jobs.js';
import { cpuUsOf } from '../support/cpu.js';
import { Histogram } from '../support/histogram.js';
import { HttpConnection, requestOf } from '../support/http-connection.js';
import { WsConnection } from '../support/ws-connection.js';
import type { ChangeWord, CompareMapsResult, MapsJob, MapViewerFile, OpenMapsJob, WatchMapsJob, WatchMapsResult } from './map-jobs.js';
import { nowMs } from './watch-jobs.js';

/** Thousands of viewers of one seat map, each with a map of their own. */

/** So many are connecting at a time: fewer than the server lets be unacknowledged. */
const AT_ONCE = 500;
const PROTOCOL = 'graphql-transport-ws';
const SUBSCRIPTION = 'subscription WatchSeats($scheduleId: ID!, $after: String) { seatChanges(scheduleId: $scheduleId, after: $after) { sequence resync changes { number status } } }';
const SEAT_MAP = 'query SeatMap($scheduleId: ID!) { seatMap(scheduleId: $scheduleId) { sequence seats { number status } } }';
const STATUSES = ['AVAILABLE', 'HELD', 'SOLD'];
/** Messages that are the same for many viewers are read once; so many of them are kept. */
const READ_KEPT = 256;
const BEAT_MS = 100;
const RECENT_MS = 500;
const SETTLE_TURNS = 100;
/** Word of when a change was asked for comes within it. */
const LATE_WORD_MS = 300;

interface Told {
  bytes: Buffer;
  sequence: string;
  resync: boolean;
  changes: { number: number; status: number }[];
  /** When it came to each viewer, in this stretch. */
  arrivals: number[];
}

interface Viewer extends MapViewerFile {
  map: Uint8Array;
  sequence: string;
  connection: WsConnection | null;
  /** What comes first was missed, and tells no delay. */
  isBehind: boolean;
  isSubscribed: boolean;
  /** Called with the first message. */
  ready: () => void;
}

/** When each change was asked for, by `number status`. */
const asked = new Map<string, number>();
/** The newest first. */
const read: Told[] = [];
const viewers: Viewer[] = [];
let port = 0;
let scheduleId = '';
let seats = 0;
let recent: { at: number; snapshot: Promise<{ map: Uint8Array; sequence: string }> } = { at: -Infinity, snapshot: Promise.reject(new Error('none yet')) };
recent.snapshot.catch(() => undefined);
/** Of this stretch. */
let told: Told[] = [];
let [messages, dropped, resyncs, failed] = [0, 0, 0, ''];

async function seatMapFor(viewer: MapViewerFile): Promise<{ map: Uint8Array; sequence: string }> {
  const connection = await HttpConnection.open(port);
  const { body } = await connection.send(requestOf(JSON.stringify({ query: SEAT_MAP, variables: { scheduleId } }), viewer));
  connection.close();
  const answer = JSON.parse(body.toString()) as { data: { seatMap: { sequence: string; seats: { number: number; status: string }[] } } | null };
  if (!answer.data) throw new Error(`No seat map: ${body.toString().slice(0, 300)}`);
  const map = new Uint8Array(seats + 1);
  for (const { number, status } of answer.data.seatMap.seats) map[number] = STATUSES.indexOf(status);
  return { map, sequence: answer.data.seatMap.sequence };
}

/** A client loads the map right before it subscribes; that of the last moment is given to all who come in it, for they are measured, not the loading. */
function recentMap(): Promise<{ map: Uint8Array; sequence: string }> {
  if (nowMs() - recent.at > RECENT_MS) recent = { at: nowMs(), snapshot: seatMapFor(viewers[0]!) };
  return recent.snapshot;
}

async function openAll(job: OpenMapsJob): Promise<object> {
  port = job.port;
  scheduleId = job.scheduleId;
  const people = JSON.parse(readFileSync(job.viewers, 'utf8')) as MapViewerFile[];
  seats = job.seats;
  for (const person of people) viewers.push({ ...person, map: new Uint8Array(seats + 1), sequence: '', connection: null, isBehind: true, isSubscribed: false, ready: () => undefined });
  let next = 0;
  const firsts: Promise<void>[] = [];
  // The next one need not wait until there is a change to tell.
  const openNext = async (): Promise<void> => {
    while (next < viewers.length) {
      const viewer = viewers[next++]!;
      await new Promise<void>((resolve) => {
        const first = comeNew(viewer, resolve);
        firsts.push(first);
        first.then(resolve, resolve);
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, openNext));
  await Promise.all(firsts);
  return {};
}

async function comeNew(viewer: Viewer, subscribed?: () => void): Promise<void> {
  const { map, sequence } = await recentMap();
  Object.assign(viewer, { map: map.slice(), sequence });
  await open(viewer, subscribed);
}

/** Resolves with its first message. */
function open(viewer: Viewer, subscribed?: () => void): Promise<void> {
  viewer.isBehind = true;
  viewer.isSubscribed = false;
  return new Promise((resolve) => {
    viewer.ready = resolve;
    viewer.connection = new WsConnection(0, port, PROTOCOL, {
      onOpen: (connection) => connection.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${viewer.accessToken}`, queueToken: viewer.queueToken } })),
      onText: (connection, payload) => {
        if (viewer.isSubscribed || !payload.includes('"connection_ack"')) return hear(viewer, payload);
        viewer.isSubscribed = true;
        connection.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: SUBSCRIPTION, variables: { scheduleId, after: viewer.sequence } } }));
        subscribed?.();
      },
      onClose: (connection, reason) => {
        if (viewer.connection === connection) failed ||= reason;
        resolve();
      },
    });
  });
}

function hear(viewer: Viewer, payload: Buffer): void {
  const message = read.find(({ bytes }) => bytes.equals(payload)) ?? readMessage(payload);
  if (!message) return;
  messages += 1;
  if (message.resync) return resync(viewer);
  for (const { number, status } of message.changes) viewer.map[number] = status;
  viewer.sequence = message.sequence;
  if (!viewer.isBehind) message.arrivals.push(nowMs());
  viewer.isBehind = false;
  viewer.ready();
}

function readMessage(payload: Buffer): Told | null {
  const message = JSON.parse(payload.toString()) as { type: string; payload?: { data?: { seatChanges: { sequence: string; resync: boolean; changes: { number: number; status: string }[] } } } };
  const changes = message.payload?.data?.seatChanges;
  if (message.type !== 'next' || !changes) {
    failed ||= payload.toString().slice(0, 300);
    return null;
  }
  const first: Told = { ...changes, bytes: Buffer.from(payload), changes: changes.changes.map(({ number, status }) => ({ number, status: STATUSES.indexOf(status) })), arrivals: [] };
  told.push(first);
  read.unshift(first);
  if (read.length > READ_KEPT) read.pop();
  return first;
}

/** Told apart from hearing: word of when a change was asked for comes another way, and may come later. A seat changes seldom, so there is one such change in a stretch. */
function delaysOf(messages: readonly Told[], since: number): Histogram {
  const delays = new Histogram();
  for (const { changes, arrivals } of messages) {
    const ats = changes.map(({ number, status }) => asked.get(`${number} ${STATUSES[status]}`) ?? 0).filter((at) => at > since);
    if (ats.length > 0) for (const arrival of arrivals) delays.add(arrival - Math.min(...ats));
  }
  return delays;
}

function resync(viewer: Viewer): void {
  resyncs += 1;
  leave(viewer);
  comeNew(viewer).catch((error: unknown) => (failed ||= String(error)));
}

/** Without a word. */
function leave(viewer: Viewer): void {
  const { connection } = viewer;
  viewer.connection = null;
  connection?.drop();
}

async function watch({ ms, dropPerSecond, pids }: WatchMapsJob): Promise<WatchMapsResult> {
  told = [];
  const since = nowMs();
  [messages, dropped, resyncs] = [0, 0, 0];
  const [startedAt, before] = [performance.now(), pids.map(cpuUsOf)];
  while (performance.now() - startedAt < ms) {
    await delay(BEAT_MS);
    for (let turn = 0; turn < (dropPerSecond * BEAT_MS) / 1000; turn += 1) {
      const viewer = viewers[Math.floor(Math.random() * viewers.length)]!;
      leave(viewer);
      void open(viewer);
      dropped += 1;
    }
  }
  if (failed) throw new Error(failed);
  const cpuUs = pids.map((pid, index) => cpuUsOf(pid) - before[index]!);
  const seconds = (performance.now() - startedAt) / 1000;
  const result = { seconds, messages, cpuUs, dropped, resyncs };
  await delay(LATE_WORD_MS);
  return { ...result, delays: delaysOf(told, since).times() };
}

/** Once nothing changes any more all have the same, or never will. */
async function compare(): Promise<CompareMapsResult> {
  const { map } = await seatMapFor(viewers[0]!);
  const isDifferent = (viewer: Viewer): boolean => Buffer.compare(viewer.map, map) !== 0;
  for (let turn = 0; turn < SETTLE_TURNS && viewers.some(isDifferent); turn += 1) await delay(BEAT_MS);
  const different = viewers.filter(isDifferent);
  const example = different[0] ? `after ${different[0].sequence}: ${[...map.keys()].filter((number) => different[0]!.map[number] !== map[number]).slice(0, 5).join(', ')}` : '';
  if (failed) throw new Error(failed);
  return { viewers: viewers.length, different: different.length, example };
}

answerJobs<MapsJob>(
  (job) => (job.kind === 'open' ? openAll(job) : job.kind === 'watch' ? watch(job) : compare()),
  ({ numbers, status, at }: ChangeWord) => {
    for (const number of numbers) asked.set(`${number} ${status}`, at);
  },
);
