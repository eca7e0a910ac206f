import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A cache may keep the response. Without it, every response says `Cache-Control: no-store`. */
    cacheable?: boolean;
  }
}

/** Sends `Cache-Control: no-store` with every response of a route that does not say `cacheable: true`. */
export function noStore(app: FastifyInstance): void {
  app.addHook('onRequest', ({ routeOptions }, reply, done) => {
    if (!routeOptions.config.cacheable) reply.header('cache-control', 'no-store');
    done();
  });
}
