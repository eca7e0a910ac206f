import type { FastifyInstance } from 'fastify';
import { Problem } from '../errors.ts';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/**
 * Answers 405 with `Allow` where a path is known and the method is not (RFC 9110, 15.5.6).
 *
 * @returns what to call when all routes are there: it adds the missing methods to those that were added since this call
 */
export function methodNotAllowed(app: FastifyInstance): () => void {
  const known = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const allowed = known.get(url) ?? new Set();
    for (const one of [method].flat()) allowed.add(one);
    known.set(url, allowed);
  });

  return () => {
    const paths = [...known].map(([url, allowed]) => [url, [...allowed]] as const);
    for (const [url, allowed] of paths) {
      const allow = allowed.join(', ');
      app.route({
        method: methods.filter((method) => !allowed.includes(method)),
        url,
        schema: { hide: true },
        config: { public: true },
        // Before the body is looked at: there is no method that could take it.
        onRequest: async () => {
          throw new Problem('method_not_allowed', `This path takes ${allow}.`, { headers: { allow } });
        },
        handler: () => {},
      });
    }
  };
}
