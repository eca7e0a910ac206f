import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import helmet from 'helmet';

/** Helmet's header fields. They are the same for every answer, so they are asked for once: Helmet makes them anew for each. */
export const securityHeaders: Readonly<Record<string, string>> = helmetHeaders();

/** Sends Helmet's header fields with every answer. A route can replace one. */
export function security(app: FastifyInstance): void {
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(securityHeaders);
    done();
  });
}

function helmetHeaders() {
  const headers: Record<string, string> = {};
  const response = {
    setHeader: (name: string, value: string) => {
      headers[name.toLowerCase()] = value;
    },
    removeHeader: () => {}, // X-Powered-By, which nobody sets here
  };
  helmet()({} as never, response as unknown as ServerResponse, (error) => {
    if (error) throw error;
  });
  return headers;
}
