import type { EntityManager } from '@mikro-orm/mysql';
import { together, type Asked } from './together.js';

const nothing = (): void => undefined;
const BEGIN: Asked<void> = { sql: 'begin', params: [], read: nothing };
const COMMIT: Asked<void> = { sql: 'commit', params: [], read: nothing };

/** A transaction of few messages: its first statements begin it, and its last ones are committed by the message that brings them. */
export class BriefTransaction {
  #begun = false;
  readonly #last: Asked<unknown>[] = [];

  constructor(readonly em: EntityManager) {}

  async together<Answers extends readonly unknown[]>(asked: { [Key in keyof Answers]: Asked<Answers[Key]> }): Promise<Answers> {
    if (this.#begun || asked.every(({ sql }) => sql === '')) return together(this.em, asked);
    this.#begun = true;
    const [, ...answers] = await together(this.em, [BEGIN, ...(asked as readonly Asked<unknown>[])]);
    return answers as unknown as Answers;
  }

  /** What is to be written: it goes with the commit, which does not happen unless all of it did. */
  atLast(asked: readonly Asked<unknown>[]): void {
    this.#last.push(...asked);
  }

  async commit(): Promise<void> {
    if (this.#begun || this.#last.length > 0) await this.together([...this.#last, COMMIT]);
  }
}
