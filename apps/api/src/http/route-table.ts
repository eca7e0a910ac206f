import type { FastifyInstance, RouteOptions } from 'fastify';
import { Problem } from './errors.ts';

/** Collects every route that is added from now on. */
export function routeTable(app: FastifyInstance): RouteOptions[] {
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => {
    routes.push(route);
  });
  return routes;
}

/** Answers 405 with `Allow` if a path is known and the method is not (RFC 9110, 15.5.6). */
export function answerOtherMethods(app: FastifyInstance, routes: readonly RouteOptions[]): void {
  // `*` is the preflight handler of CORS. Other methods on such a path are an unknown path.
  const own = routes.filter(({ url }) => url !== '*');
  for (const [url, known = []] of Object.entries(Object.groupBy(own, ({ url }) => url.replace(/(.)\/$/, '$1')))) {
    const allowed = known.flatMap(({ method }) => method);
    const allow = [...new Set(allowed)].join(', ');
    app.route({
      method: app.supportedMethods.filter((method) => !allowed.includes(method)),
      url,
      schema: { hide: true },
      config: { public: true },
      // Before the body is parsed.
      onRequest: async () => {
        throw new Problem('method_not_allowed', `This path supports ${allow}.`, { headers: { allow } });
      },
      handler: () => {},
    });
  }
}
