import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Caches may store the response. All other responses have `Cache-Control: no-store`. */
    cacheable?: boolean;
  }
}

/** Sends `Cache-Control: no-store` with every response, unless the route's config says `cacheable: true`. */
export function noStore(app: FastifyInstance): void {
  app.addHook('onRequest', ({ routeOptions }, reply, done) => {
    if (!routeOptions.config.cacheable) reply.header('cache-control', 'no-store');
    done();
  });
}
