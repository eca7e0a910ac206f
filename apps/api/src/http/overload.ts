import underPressure from '@fastify/under-pressure';
import type { FastifyInstance } from 'fastify';
import { Problem } from './errors.ts';

/** On average over a second. A process that is so late will soon answer nobody in time: the less it takes on, the sooner it recovers. */
const loopDelayMsMax = 2_000;
const sampleMs = 1_000;

/** Answers 503 at once while the process cannot keep up, before waiting becomes time-outs. Health is answered all the same. */
export async function overload(app: FastifyInstance) {
  await app.register(underPressure, {
    maxEventLoopDelay: loopDelayMsMax,
    sampleInterval: sampleMs,
    pressureHandler: ({ routeOptions }) => {
      if (!routeOptions.config.evenWhenOverloaded)
        throw new Problem('overloaded', 'More is asked of this server than it can do.');
    },
  });
}
