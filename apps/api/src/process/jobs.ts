import type { FastifyInstance } from 'fastify';

/** Work that repeats beside the requests. Many processes may run it at the same time. */
export interface Job {
  name: string;
  everyMs: number;
  /** Resolves to the number of items processed, for the log. */
  run: () => Promise<number>;
}

/** Adds a job. Returns a function that runs it now, without waiting for it. */
export type AddJob = (job: Job) => () => void;

/** For commands: the server runs the jobs. */
export const noJobs: AddJob = () => () => {};

/** Runs jobs from the moment the server listens until it closes. Closing waits for running jobs. */
export function createJobs(
  app: FastifyInstance,
  onEnded: (job: string, outcome: 'done' | 'failed') => void = () => {},
): AddJob {
  const timers: NodeJS.Timeout[] = [];
  const running = new Set<Promise<void>>();
  const starts: (() => void)[] = [];
  let isOpen = false;

  app.addHook('onListen', async () => {
    isOpen = true;
    for (const start of starts) start();
  });
  app.addHook('onClose', async () => {
    isOpen = false;
    for (const timer of timers) clearInterval(timer);
    await Promise.all(running);
  });

  return ({ name, everyMs, run }) => {
    const once = async () => {
      try {
        const items = await run();
        if (items > 0) app.log.info({ job: name, items }, 'job');
        onEnded(name, 'done');
      } catch (error) {
        app.log.warn({ err: error, job: name }, 'the job failed; it will run again');
        onEnded(name, 'failed');
      }
    };
    let isRunning = false;
    let isRequested = false;
    // A process never runs a job twice at the same time. A request during a run starts another run after it.
    const wake = () => {
      if (!isOpen) return;
      isRequested = true;
      if (isRunning) return;
      isRunning = true;
      const finished = (async () => {
        while (isRequested && isOpen) {
          isRequested = false;
          await once();
        }
      })().finally(() => {
        running.delete(finished);
        isRunning = false;
      });
      running.add(finished);
    };
    starts.push(() => timers.push(setInterval(wake, everyMs).unref()));
    return wake;
  };
}
