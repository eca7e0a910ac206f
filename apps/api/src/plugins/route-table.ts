import type { FastifyInstance, RouteOptions } from 'fastify';
import { Problem } from '../errors.ts';

/** Every route that is added from now on. */
export function routeTable(app: FastifyInstance): RouteOptions[] {
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => {
    routes.push(route);
  });
  return routes;
}

/** Answers 405 with `Allow` where a path is known and the method is not (RFC 9110, 15.5.6). */
export function answerOtherMethods(app: FastifyInstance, routes: readonly RouteOptions[]): void {
  for (const [url, known = []] of Object.entries(Object.groupBy(routes, ({ url }) => url.replace(/(.)\/$/, '$1')))) {
    const allowed = known.flatMap(({ method }) => method);
    const allow = [...new Set(allowed)].join(', ');
    app.route({
      method: app.supportedMethods.filter((method) => !allowed.includes(method)),
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
}
