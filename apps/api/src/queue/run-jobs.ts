import type { FastifyInstance } from 'fastify';
import type { Look, Runner } from './runner.ts';

/** Time between two looks at the queue. */
const lookMs = 5_000;
/** Longest time between two looks. */
const quietMsMax = 3_600_000;

/**
 * Runs jobs from the moment the server listens until it closes.
 *
 * While nobody sends a request and nothing is due, the time between two looks at the queue doubles, up to an hour, so that a database that is billed by use can
 * sleep. The next request ends that. A job that is due earlier is run in time.
 */
export function runJobs(app: FastifyInstance, runner: Runner, { stopMs }: { stopMs: number }): void {
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let isOpen = false;
  let isPrepared = false;
  let delayMs = lookMs;
  let dueAt = Number.POSITIVE_INFINITY;
  let lastRequestAt = performance.now();

  const lookIn = (ms: number) => {
    clearTimeout(timer);
    if (!isOpen) return;
    dueAt = performance.now() + ms;
    timer = setTimeout(() => {
      looking = look();
    }, ms).unref();
  };
  const look = async () => {
    const found = await lookOnce();
    const isAsked = performance.now() - lastRequestAt <= delayMs;
    delayMs = found.isBusy || isAsked ? lookMs : Math.min(2 * delayMs, quietMsMax);
    lookIn(Math.min(delayMs, found.nextMs ?? delayMs));
  };
  const lookOnce = async (): Promise<Look> => {
    try {
      if (!isPrepared) await runner.prepare();
      isPrepared = true;
      return await runner.look();
    } catch (err) {
      app.log.warn({ err }, 'could not look at the job queue; it will be tried again');
      return { isBusy: true, nextMs: undefined };
    }
  };

  app.addHook('onListen', async () => {
    isOpen = true;
    runner.start();
    lookIn(lookMs);
  });
  app.addHook('onClose', async () => {
    isOpen = false;
    clearTimeout(timer);
    await looking;
    await runner.stop(stopMs);
  });
  app.addHook('onRequest', (request, _reply, done) => {
    // A supervisor asks it every few seconds, and it does not use the database.
    if (request.routeOptions.url?.endsWith('/health')) return done();
    lastRequestAt = performance.now();
    // Only earlier: requests that come again and again must not put the look off.
    if (isOpen && lastRequestAt + lookMs < dueAt) {
      delayMs = lookMs;
      lookIn(lookMs);
    }
    return done();
  });
}
