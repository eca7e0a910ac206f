import type { FastifyInstance } from 'fastify';

/** Work that repeats beside the requests. Many processes may run it at the same time. */
export interface Job {
  name: string;
  everyMs: number;
  /** Resolves to the number of items processed, for the log. */
  run: () => Promise<number>;
  /** Resolves to the number of items that wait, now or for another attempt. Asked when nothing was processed. */
  countWaiting?: () => Promise<number>;
}

/** Longest time between two runs. */
const quietMsMax = 3_600_000;

/** Adds a job. Returns a function that runs it now, without waiting for it. */
export type AddJob = (job: Job) => () => void;

/** For commands: the server runs the jobs. */
export const noJobs: AddJob = () => () => {};

/**
 * Runs jobs from the moment the server listens until it closes. Closing waits for running jobs.
 *
 * While nobody sends a request and nothing waits, the time between two runs doubles, up to an hour, so that a database that is billed by use can sleep. The next
 * request ends that.
 */
export function createJobs(
  app: FastifyInstance,
  onEnded: (job: string, outcome: 'done' | 'failed') => void = () => {},
): AddJob {
  const timers = new Set<NodeJS.Timeout>();
  const running = new Set<Promise<void>>();
  /** Sets the timer of each job to its shortest time. */
  const starts: (() => void)[] = [];
  let isOpen = false;
  let isQuiet = false;
  let lastRequestAt = performance.now();

  app.addHook('onListen', async () => {
    isOpen = true;
    for (const start of starts) start();
  });
  app.addHook('onClose', async () => {
    isOpen = false;
    for (const timer of timers) clearTimeout(timer);
    await Promise.all(running);
  });

  app.addHook('onRequest', (request, _reply, done) => {
    // A supervisor asks it every few seconds, and it does not use the database.
    if (request.routeOptions.url?.endsWith('/health')) return done();
    if (isQuiet && isOpen) {
      isQuiet = false;
      for (const start of starts) start();
    }
    lastRequestAt = performance.now();
    return done();
  });

  return (job) => {
    let delayMs = job.everyMs;
    let timer: NodeJS.Timeout | undefined;

    let dueAt = Number.POSITIVE_INFINITY;
    const schedule = (ms: number) => {
      if (timer) timers.delete(timer);
      clearTimeout(timer);
      if (!isOpen) return;
      delayMs = ms;
      dueAt = performance.now() + ms;
      timer = setTimeout(wake, delayMs).unref();
      timers.add(timer);
    };
    const runAndSchedule = async () => {
      const isBusy = await runOnce(job, app, onEnded);
      const isAsked = performance.now() - lastRequestAt <= delayMs;
      if (isBusy || isAsked) return schedule(job.everyMs);
      isQuiet = true;
      schedule(Math.min(2 * delayMs, quietMsMax));
    };
    const start = oneAtATime(async () => {
      if (isOpen) await runAndSchedule();
    });
    const wake = () => {
      const finished = start();
      running.add(finished);
      finished.finally(() => running.delete(finished));
    };
    // Only earlier: requests that come again and again must not put it off.
    starts.push(() => {
      if (performance.now() + job.everyMs < dueAt) schedule(job.everyMs);
    });
    return wake;
  };
}

/** Runs a job. Resolves to whether there may be more to do. */
async function runOnce(
  { name, run, countWaiting = async () => 0 }: Job,
  { log }: FastifyInstance,
  onEnded: (job: string, outcome: 'done' | 'failed') => void,
): Promise<boolean> {
  try {
    const items = await run();
    if (items > 0) log.info({ job: name, items }, 'job');
    onEnded(name, 'done');
    return items > 0 || (await countWaiting()) > 0;
  } catch (error) {
    log.warn({ err: error, job: name }, 'the job failed; it will run again');
    onEnded(name, 'failed');
    return true;
  }
}

/** Returns a function that never does the work twice at the same time: a call while it is being done does it once more afterwards. */
function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let isRequested = false;
  let isRunning = false;
  return async () => {
    isRequested = true;
    if (isRunning) return;
    isRunning = true;
    try {
      while (isRequested) {
        isRequested = false;
        await work();
      }
    } finally {
      isRunning = false;
    }
  };
}
