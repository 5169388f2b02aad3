/**
 * Where a process can be made to die. A point is named by what has just happened or is about to; it is planted as the module is loaded, the sources know
 * nothing of it.
 */

type When = 'before' | 'after';

/** A method or function of a compiled module around whose calls there are points. */
export interface Seam {
  /** Below `dist/`. */
  module: string;
  /** `Class.method`, or the name of an exported function declaration. */
  target: string;
  when: readonly When[];
  /** What the point is called after `before` or `after`; the Lua scripts have a point each. */
  label: string | 'name of the script';
}

export const SEAMS: readonly Seam[] = [
  // Between Redis and database, in the middle of an admission and of relaying: every change of Redis that is one act.
  { module: 'redis/script.js', target: 'Script.run', when: ['after'], label: 'name of the script' },
  { module: 'redis/event-stream.js', target: 'EventStream.dropQueueEvents', when: ['before'], label: 'dropping relayed queue events' },
  // What follows a commit.
  { module: 'redis/pubsub.js', target: 'PubSub.publish', when: ['before'], label: 'publishing' },
  { module: 'redis/pubsub.js', target: 'PubSub.publishAll', when: ['before'], label: 'publishing' },
  { module: 'redis/jobs.js', target: 'Jobs.addDelayed', when: ['before'], label: 'adding a job' },
  { module: 'redis/session-cache.js', target: 'SessionCache.doubt', when: ['after'], label: 'doubting a session' },
  { module: 'redis/session-cache.js', target: 'SessionCache.revoke', when: ['before', 'after'], label: 'telling Redis of a revocation' },
  { module: 'services/webhook-sender.js', target: 'WebhookSender.send', when: ['before', 'after'], label: 'sending to a webhook' },
  // Rows that are written by one statement, without a transaction around it.
  { module: 'services/session.service.js', target: 'SessionService.start', when: ['before', 'after'], label: 'writing a session' },
  { module: 'database/repositories/session.repository.js', target: 'revokeSession', when: ['before', 'after'], label: 'revoking a session' },
  { module: 'database/repositories/webhook.repository.js', target: 'reviveDead', when: ['before', 'after'], label: 'reviving deliveries' },
];

/** Planted where the call itself is not the point: inside the transaction, between the result and its sending, between the handler's end and the job's. */
export const BEFORE_COMMIT = 'before commit';
export const AFTER_COMMIT = 'after commit';
export const BEFORE_REPLY = 'before reply';
export const BEFORE_DONE = 'before the job is done';

/** Modules that are changed for those, and for knowing whose call it is. */
export const SPECIAL = {
  transactions: { module: 'database/transaction.js', target: 'Transactions' },
  workers: { module: 'workers/start-workers.js', target: 'startWorkers' },
  answers: { module: 'server/http-answer.js', target: 'inTime' },
  scope: { module: 'server/request-scope.js', target: 'currentScope' },
} as const;
