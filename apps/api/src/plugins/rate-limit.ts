import limiter from '@fastify/rate-limit';
import type { FastifyInstance } from 'fastify';
import { Problem } from '../errors.ts';

/** Throttles the routes whose config says so (`rateLimit: { max }`), by address, per minute. */
export async function rateLimit(app: FastifyInstance) {
  await app.register(limiter, {
    global: false,
    timeWindow: 60_000,
    enableDraftSpec: true,
    errorResponseBuilder: (_, { ttl }) =>
      new Problem('rate_limited', 'Too many attempts from this address.', {
        headers: { 'retry-after': String(Math.max(1, Math.ceil(ttl / 1000))) },
      }),
  });
}
