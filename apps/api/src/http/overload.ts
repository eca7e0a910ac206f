import underPressure from '@fastify/under-pressure';
import type { FastifyInstance } from 'fastify';
import { Problem } from './errors.ts';

/** Event loop delay, averaged over a second. A process that is later than this recovers sooner if it accepts less work. */
const loopDelayMsMax = 2_000;
const sampleMs = 1_000;

/** Answers 503 at once while the process cannot keep up, instead of letting requests time out. Health checks are still answered. */
export async function overload(app: FastifyInstance) {
  // Startup blocks the event loop. The first two samples, whose average includes it, do not count.
  let isTrustedAt = Number.POSITIVE_INFINITY;
  app.addHook('onReady', async () => {
    isTrustedAt = performance.now() + 2 * sampleMs;
  });
  await app.register(underPressure, {
    maxEventLoopDelay: loopDelayMsMax,
    sampleInterval: sampleMs,
    pressureHandler: ({ routeOptions }) => {
      if (performance.now() > isTrustedAt && !routeOptions.config.evenWhenOverloaded)
        throw new Problem('overloaded', 'More is asked of this server than it can do.');
    },
  });
}
