import { mutantNamed } from '../inject/mutants.js';
import type { Edit } from '../inject/replace.ts';
import type { FrontrowNode } from './processes.js';

/** When the database's clock was read for each payment, also for those that were too late: what is decided then is in no row and in no answer. */

const ANCHOR = 'if (!this.repeated) assertPayable(this.reservation, date, this.wallet.balance, now!);';

/** The process tells what it has read; nothing else of it changes. */
const TELLS: Edit = { file: 'services/pay.ts', find: ANCHOR, replace: `console.log('judged ' + reservationId + ' ' + now!.getTime());\n      ${ANCHOR}` };

/** A mutant that is planted into the same file is left as it is; the times of the answers must do then. */
export function tellingEdits(): Edit[] {
  const mutant = process.env['FRONTROW_MUTANT'];
  return mutant && mutantNamed(mutant).edits.some(({ file }) => file === TELLS.file) ? [] : [TELLS];
}

const READ_EVERY_MS = 500;

export class Judgements {
  readonly #latest = new Map<string, number>();
  readonly #seen = new Map<FrontrowNode, number>();
  #readAt = 0;

  constructor(private readonly nodes: readonly FrontrowNode[]) {}

  /** Of the last payment for this reservation that was judged, in milliseconds of the database's clock. */
  of(reservationId: string): number | undefined {
    return this.#latest.get(reservationId);
  }

  /** Reads what was written since; seldom enough to be no load of its own. Answers whether it did. */
  read(now = performance.now()): boolean {
    if (now - this.#readAt < READ_EVERY_MS) return false;
    this.#readAt = now;
    for (const node of this.nodes) this.#readLog(node);
    return true;
  }

  #readLog(node: FrontrowNode): void {
    const log = node.log();
    const end = log.lastIndexOf('\n') + 1;
    for (const [, id, at] of log.slice(this.#seen.get(node) ?? 0, end).matchAll(/^judged (\S+) (\d+)$/gm)) {
      this.#latest.set(id!, Math.max(Number(at), this.#latest.get(id!) ?? 0));
    }
    this.#seen.set(node, end);
  }
}
