import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ownIdOf } from './request-id.ts';

interface Observers {
  requestEnded?: ((method: string, route: string, status: number, seconds: number) => void) | undefined;
  traceId?: ((request: FastifyRequest) => string | undefined) | undefined;
}

/** Sends `X-Request-Id`, logs a line per request, and reports the request to the metrics. */
export function observeRequests(app: FastifyInstance, { requestEnded, traceId }: Observers): void {
  app.addHook('onRequest', ({ id }, reply, done) => {
    reply.header('x-request-id', id);
    done();
  });
  app.addHook('onResponse', (request, { statusCode: status, elapsedTime }, done) => {
    const { method, routeOptions, user } = request;
    const route = routeOptions.url ?? null;
    requestEnded?.(method, route ?? 'none', status, elapsedTime / 1000);
    const fields = {
      own_request_id: ownIdOf(request),
      method,
      route,
      status,
      ms: Math.round(elapsedTime * 10) / 10,
      user_id: user?.id,
      trace_id: traceId?.(request),
    };
    request.log.info(fields, 'request');
    done();
  });
}
