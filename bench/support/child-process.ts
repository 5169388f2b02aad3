import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasEnded } from '../../src/launcher/server-process.js';
import { pinProcess } from './pin.js';
import { benchArgs, endProcess, spawnNode, START_TIMEOUT_MS } from './process.js';

type Answer<Result> = { result: Result } | { error: string };

/** A process of the bench's own, on the core that is not the server's, that does one job at a time. Jobs travel as files: they may be large. */
export class JobProcess {
  #jobs = 0;

  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  /** `file` answers jobs with `answerJobs`. */
  static async start(file: string, folder: string): Promise<JobProcess> {
    const child = spawnNode(benchArgs(file), process.env as Record<string, string>, ['ignore', 'inherit', 'inherit', 'ipc']);
    // Ended where it takes too long.
    const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
    await Promise.race([once(child, 'message'), once(child, 'exit').then(() => Promise.reject(new Error(`${file} did not start.`)))]).finally(() => clearTimeout(timer));
    pinProcess('rest', child.pid!);
    return new JobProcess(child, folder);
  }

  async ask<Result>(job: object): Promise<Result> {
    if (hasEnded(this.child)) throw new Error('The load process has ended.');
    const file = join(this.folder, `job-${this.child.pid}-${(this.#jobs += 1)}.json`);
    writeFileSync(file, JSON.stringify(job));
    this.child.send(file);
    const answer = await this.#answer<Result>();
    rmSync(file);
    if ('error' in answer) throw new Error(answer.error);
    return answer.result;
  }

  /** A word meanwhile, that is not answered. */
  tell(word: object): void {
    this.child.send(word);
  }

  close(): Promise<void> {
    return endProcess(this.child);
  }

  #answer<Result>(): Promise<Answer<Result>> {
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error('The load process has ended.'));
      this.child.once('exit', gone).once('message', (answer: Answer<Result>) => {
        this.child.off('exit', gone);
        resolve(answer);
      });
    });
  }
}
