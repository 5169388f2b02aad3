import { readFileSync } from 'node:fs';

/** The other end of a JobProcess. */
export function answerJobs<Job>(answer: (job: Job) => Promise<object>, hear: (word: never) => void = () => undefined): void {
  process.on('message', (message: string | object) => {
    if (typeof message !== 'string') return hear(message as never);
    const job = JSON.parse(readFileSync(message, 'utf8')) as Job;
    answer(job).then(
      (result) => process.send!({ result }),
      (error: unknown) => process.send!({ error: error instanceof Error ? error.stack : String(error) }),
    );
  });
  // Whoever asked is gone, and thousands of open sockets would keep the process alive.
  process.on('disconnect', () => process.exit());
  process.send!('ready');
}
