import type { FastifyInstance, FastifyRequest, RouteHandlerMethod } from 'fastify';
import { addressOf, networksOf } from '../address.ts';
import { keyOf, tooManyRequests } from './limiter.ts';
import { createMemoryStore } from './memory-store.ts';

// Limits for signed-in users, so that one account cannot fill the connection pool. They count in this process's memory alone: a round trip to
// Redis for every request would cost more than most requests.

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * How many requests of one user, or of one address without a user, may be handled at the same time. Routes of one name share the count. With `when`, only
     * the requests for which it returns true count.
     */
    concurrency?: { name: string; perUser: number; when?: (request: FastifyRequest) => boolean };
  }
}

const retryMs = 1_000;

/**
 * Limits the requests of each user: `perMinute` in all, and as many at a time as a route's `concurrency` says. Answers 429 beyond that.
 *
 * @param clock in milliseconds
 */
export function userLimits(app: FastifyInstance, { perMinute, clock }: { perMinute: number; clock: () => number }) {
  const store = createMemoryStore(clock);
  app.addHook('onRequest', (request, _reply, done) => {
    if (!request.scope) return done();
    const bucket = { key: keyOf('user', 'requests', request.scope.actor.userId), burst: perMinute, perMinute };
    store.take([bucket]).then(([level]) => done(level && level.waitMs > 0 ? tooManyRequests(level) : undefined), done);
  });
  limitConcurrency(app);
}

/**
 * Counts a request until its response is sent (or the connection closes) and its handler returns. A disconnect does not cancel a running query, and
 * a client that does not read keeps the response in memory.
 */
function limitConcurrency(app: FastifyInstance): void {
  const running = new Map<string, number>();
  const held = new WeakMap<FastifyRequest, Set<'response' | 'handler'>>();
  const letGo = (request: FastifyRequest, key: string, part: 'response' | 'handler') => {
    const parts = held.get(request);
    if (!parts?.delete(part) || parts.size > 0) return;
    const left = (running.get(key) ?? 1) - 1;
    if (left > 0) running.set(key, left);
    else running.delete(key);
  };
  const keyOfRequest = (request: FastifyRequest) => {
    const caller = request.scope?.actor.userId ?? networksOf(addressOf(request))[0]?.network;
    return `${request.routeOptions.config.concurrency?.name} ${caller}`;
  };

  app.addHook('onRequest', (request, reply, done) => {
    const { concurrency } = request.routeOptions.config;
    if (!concurrency || concurrency.when?.(request) === false) return done();
    const key = keyOfRequest(request);
    const count = running.get(key) ?? 0;
    if (count >= concurrency.perUser) return done(tooManyRequests({ waitMs: retryMs }));
    running.set(key, count + 1);
    held.set(request, new Set(['response']));
    for (const event of ['finish', 'close']) reply.raw.once(event, () => letGo(request, key, 'response'));
    done();
  });
  app.addHook('onRoute', (route) => {
    if (!route.config?.concurrency) return;
    const { handler } = route;
    route.handler = async function (this: FastifyInstance, request: FastifyRequest, reply) {
      held.get(request)?.add('handler');
      try {
        return await (handler as RouteHandlerMethod).call(this, request, reply);
      } finally {
        letGo(request, keyOfRequest(request), 'handler');
      }
    };
  });
}
