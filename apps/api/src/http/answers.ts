import type { FastifyInstance, FastifyRequest } from 'fastify';
import { matchesAny, tagOf } from './preconditions.ts';

// The successful response of a route follows from its result: the status is that of the route's schema, and the header fields describe the resource.

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Returns the path of the created resource, below the prefix. */
    location?: (created: never) => string;
    /** The status of a success, from the schema. */
    successStatus?: number;
  }
}

/** Sets status, `Location` and `ETag` of successful responses, and answers 304 to a client that has the current version (RFC 9110, 13.1.2). */
export function answers(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    const statuses = Object.keys((route.schema?.response ?? {}) as object).map(Number);
    const successStatus = statuses.find((status) => status >= 200 && status < 300) ?? 200;
    route.config = { ...route.config, successStatus };
  });
  app.addHook('preHandler', ({ routeOptions }, reply, done) => {
    reply.code(routeOptions.config.successStatus ?? 200);
    done();
  });
  app.addHook('preSerialization', (request, reply, result, done) => {
    if (reply.statusCode < 300) reply.headers(headersOf(request, result));
    done(null, result);
  });
  app.addHook('onSend', ({ method, headers }, reply, payload, done) => {
    const tag = reply.getHeader('etag');
    const known = headers['if-none-match'];
    const isCurrent =
      (method === 'GET' || method === 'HEAD') &&
      reply.statusCode === 200 &&
      typeof tag === 'string' &&
      known !== undefined;
    if (!isCurrent || !matchesAny(known, tag)) return done(null, payload);
    reply.code(304).removeHeader('content-type');
    return done(null, null);
  });
}

/** Returns the header fields that belong to the result of a route. */
export function headersOf({ routeOptions, server }: FastifyRequest, result: unknown): Record<string, string> {
  const { location, successStatus } = routeOptions.config;
  const { version, id } = (result ?? {}) as { version?: unknown; id?: unknown };
  return {
    ...(location && successStatus === 201 && { location: `${server.prefix}${location(result as never)}` }),
    ...(typeof version === 'string' && { etag: tagOf(version, id) }),
  };
}
