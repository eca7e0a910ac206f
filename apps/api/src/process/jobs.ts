import type { FastifyInstance } from 'fastify';

/** Something that is done again and again beside the requests. Many processes may do it at once. */
export interface Job {
  name: string;
  everyMs: number;
  /** Resolves to how much was done, for the log. */
  run: () => Promise<number>;
}

type Ended = (job: string, outcome: 'done' | 'failed') => void;

/** Runs jobs from the moment the server listens until it closes; one that is under way is waited for. */
export function createJobs(app: FastifyInstance, ended: Ended = () => {}) {
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

  return {
    /** Returns what runs the job at once, without waiting for it: in this process never twice at the same time. */
    add: ({ name, everyMs, run }: Job): (() => void) => {
      let isRunning = false;
      let isAskedAgain = false;
      const once = async () => {
        try {
          const done = await run();
          if (done > 0) app.log.info({ job: name, done }, 'job');
          ended(name, 'done');
        } catch (error) {
          app.log.warn({ err: error, job: name }, 'the job failed, and will be tried again in its turn');
          ended(name, 'failed');
        }
      };
      const wake = () => {
        if (!isOpen) return;
        if (isRunning) {
          isAskedAgain = true;
          return;
        }
        isRunning = true;
        const finished: Promise<void> = once().finally(() => {
          running.delete(finished);
          isRunning = false;
          if (!isAskedAgain) return;
          isAskedAgain = false;
          wake();
        });
        running.add(finished);
      };
      starts.push(() => timers.push(setInterval(wake, everyMs).unref()));
      return wake;
    },
  };
}

export type Jobs = ReturnType<typeof createJobs>;
