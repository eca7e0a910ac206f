import type { FastifyInstance } from 'fastify';
import type { PollResult, Runner } from './runner.ts';

/** Time between two polls of the queue. */
const pollIntervalMs = 5_000;
/** Longest time between two polls. */
const pollIntervalMsMax = 3_600_000;

/**
 * Runs jobs from the moment the server listens until it closes.
 *
 * While nobody sends a request and nothing is due, the time between two polls of the queue doubles, up to an hour, so that a database that is billed by use can
 * sleep. The next request ends that. A job that is due earlier is run in time.
 */
export function runJobs(app: FastifyInstance, runner: Runner, { stopMs }: { stopMs: number }): void {
  let timer: NodeJS.Timeout | undefined;
  let polling: Promise<void> | undefined;
  let isOpen = false;
  let isPrepared = false;
  let delayMs = pollIntervalMs;
  let dueAt = Number.POSITIVE_INFINITY;
  let lastRequestAt = performance.now();

  const pollIn = (ms: number) => {
    clearTimeout(timer);
    if (!isOpen) return;
    dueAt = performance.now() + ms;
    timer = setTimeout(() => {
      polling = poll();
    }, ms).unref();
  };
  const poll = async () => {
    const found = await pollOnce();
    const isAsked = performance.now() - lastRequestAt <= delayMs;
    delayMs = found.isBusy || isAsked ? pollIntervalMs : Math.min(2 * delayMs, pollIntervalMsMax);
    pollIn(Math.min(delayMs, found.nextMs ?? delayMs));
  };
  const pollOnce = async (): Promise<PollResult> => {
    try {
      if (!isPrepared) await runner.prepare();
      isPrepared = true;
      return await runner.poll();
    } catch (err) {
      app.log.warn({ err }, 'could not poll the job queue; it will be tried again');
      return { isBusy: true, nextMs: undefined };
    }
  };

  app.addHook('onListen', async () => {
    isOpen = true;
    runner.start();
    pollIn(pollIntervalMs);
  });
  app.addHook('onClose', async () => {
    isOpen = false;
    clearTimeout(timer);
    await polling;
    await runner.stop(stopMs);
  });
  app.addHook('onRequest', (request, _reply, done) => {
    // A supervisor asks it every few seconds, and it does not use the database.
    if (request.routeOptions.url?.endsWith('/health')) return done();
    lastRequestAt = performance.now();
    // Only earlier: requests that come again and again must not put the poll off.
    if (isOpen && lastRequestAt + pollIntervalMs < dueAt) {
      delayMs = pollIntervalMs;
      pollIn(pollIntervalMs);
    }
    return done();
  });
}
