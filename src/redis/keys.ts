/**
 * The only place a Redis key is spelled. What belongs to one concert carries the concert's hash tag, so that a script over several of its
 * keys also runs on a Redis Cluster.
 */
const ofConcert = (concertId: string): string => `frontrow:{${concertId}}`;

/** One more with each change of what is shared: processes of two versions run beside each other during a deploy. */
const COPY_SHAPE = 1;
const copyOf = (name: string): string => `frontrow:{copies}:${COPY_SHAPE}:${name}`;

export const keys = {
  /** Hash: seat number → `holder|reservation|end`; the end in ms of Redis's clock. Of one run of the server: see ServerRun. */
  seatGate: (run: string, concertId: string, scheduleId: string): string => `${ofConcert(concertId)}:gate:${scheduleId}:${run}`,
  /** Log of a date's seats: hash of its state, stream of its entries, string of the versions told (32 bits per seat number). Of one run of the server: see ServerRun. */
  seatLog: (run: string, scheduleId: string): [string, string, string] => {
    const log = `frontrow:{${scheduleId}}:seats:${run}`;
    return [log, `${log}:entries`, `${log}:versions`];
  },
  /** Bytes with a short TTL: what one process has read, for all others that want the same now. */
  sharedCopy: copyOf,
  /** String with a TTL: the process that reads it now. */
  sharedCopyLock: (name: string): string => `${copyOf(name)}:lock`,
  /** Hash with a TTL: epoch and generation of the catalogue, one more with each change of it. Of one run of the server: see ServerRun. */
  catalogue: (run: string): string => `frontrow:catalogue:${run}`,
  /** Sorted set: waiting user → place. */
  queueWaiting: (concertId: string): string => `${ofConcert(concertId)}:queue:waiting`,
  /** Sorted set: admitted user → end of the pass in ms. */
  queueActive: (concertId: string): string => `${ofConcert(concertId)}:queue:active`,
  /** Sorted set: waiting user → last seen in ms. */
  queueSeen: (concertId: string): string => `${ofConcert(concertId)}:queue:seen`,
  /** Hash: admitted user → place. */
  queuePlaces: (concertId: string): string => `${ofConcert(concertId)}:queue:places`,
  /** Hash: admitted user → reserve attempts. */
  queueAttempts: (concertId: string): string => `${ofConcert(concertId)}:queue:attempts`,
  /** Hash: epoch, sequence, admission clock, counters and flags of the queue. */
  queueState: (concertId: string): string => `${ofConcert(concertId)}:queue:state`,
  /** List: admissions of the last intervals, newest first. */
  queueAdmissions: (concertId: string): string => `${ofConcert(concertId)}:queue:admissions`,
  /** List: places that left the line, and with a minus those that came back into it, since this was told last. */
  queueMoves: (concertId: string): string => `${ofConcert(concertId)}:queue:moves`,
  /** Stream: what happened in the queue and was not relayed yet. */
  queueEvents: (concertId: string): string => `${ofConcert(concertId)}:queue:events`,
  /** String with a TTL: how the user's last place ended. */
  queueEnded: (concertId: string, userId: string): string => `${ofConcert(concertId)}:queue:ended:${userId}`,
  /** Set: concerts whose queue the admission job has to look after. */
  queues: (): string => 'frontrow:queues',
  /** String with a TTL: there until all instances are to be asked again for queues that nobody looks after. */
  queuesBeat: (): string => 'frontrow:queues:beat',
  /** Set: concerts whose queue nobody looks after any more, but whose events may not be relayed yet. */
  queuesToRelay: (): string => 'frontrow:queues:to-relay',
  /** Stream: the events that other systems read. */
  events: (): string => 'frontrow:{events}',
  /** String with a TTL: the relay that may publish. */
  relayOwner: (): string => 'frontrow:{events}:owner',
  /** String with a TTL: another relay came while one was at work. */
  relayAgain: (): string => 'frontrow:{events}:again',
  /** String: how far the outbox was published to the stream. */
  relayReached: (): string => 'frontrow:{events}:reached',
  /** List with a TTL: changes of reservations that gate and seats have heard of; see ToldSeats. */
  toldSeats: (): string => 'frontrow:{events}:told-seats',
  /** String with a TTL: `active` or `revoked`; a miss means ask the database. Of one run of the server: see ServerRun. */
  session: (run: string, sessionId: string): string => `frontrow:session:${sessionId}:${run}`,
  rateLimit: (): string => 'frontrow:rate',
  /** BullMQ's own prefix; the hash tag keeps a job queue on one node of a Redis Cluster. */
  jobs: (): string => '{frontrow:jobs}',
} as const;
