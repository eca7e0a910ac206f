import type { FastifyInstance } from 'fastify';

/** Something that is done again and again beside the requests. Many processes may do it at once. */
export interface Job {
  name: string;
  everyMs: number;
  /** Resolves to how much was done, for the log. */
  run: () => Promise<number>;
}

/** Runs the jobs from the moment the server listens until it closes; one that is under way is waited for. */
export function runJobs(app: FastifyInstance, jobs: readonly Job[]): void {
  const timers = new Set<NodeJS.Timeout>();
  const running = new Set<Promise<void>>();

  const start = ({ name, everyMs, run }: Job) => {
    const once = async () => {
      try {
        const done = await run();
        if (done > 0) app.log.info({ job: name, done }, 'job');
      } catch (error) {
        app.log.warn({ err: error, job: name }, 'the job failed, and will be tried again in its turn');
      }
    };
    const timer = setInterval(() => {
      const run = once().finally(() => running.delete(run));
      running.add(run);
    }, everyMs);
    timers.add(timer.unref());
  };

  app.addHook('onListen', async () => jobs.forEach(start));
  app.addHook('onClose', async () => {
    for (const timer of timers) clearInterval(timer);
    await Promise.all(running);
  });
}
