import { createHash } from 'node:crypto';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { originOf } from './origin.ts';

type Document = Record<string, unknown>;

/**
 * Swagger UI needs inline styles. Everything else is limited to the server's own files. Requests are not upgraded to https: without
 * TLS, as on a developer's network, the page would stay empty.
 */
const docsPolicy =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/** Serves `/openapi.json` and `/docs`, compressed and with an ETag. */
export async function docsPages(app: FastifyInstance, config: { publicUrl: string }) {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, public: true, cacheable: true };
  });

  // Static files have an ETag. Rendered responses get one here.
  app.addHook('onSend', async (request, reply, payload) => {
    if (typeof payload !== 'string' || reply.statusCode !== 200) return payload;
    const etag = `W/"${createHash('sha256').update(payload).digest('base64url')}"`;
    reply.headers({ etag, 'cache-control': 'no-cache' });
    if (!request.headers['if-none-match']?.includes(etag)) return payload;
    reply.code(304);
    return '';
  });

  const { default: compress } = await import('@fastify/compress');
  // The lowest level: the largest script takes 15 ms instead of 50, and anyone can request it.
  await app.register(compress, { encodings: ['gzip', 'identity'], threshold: 0, zlibOptions: { level: 1 } });
  /** The rest of the document is the same for every request. */
  let rest: string | undefined;
  app.get('/openapi.json', { schema: { hide: true } }, async (request, reply) => {
    rest ??= restOf(app.swagger() as Document);
    const openapi = `{"servers":${JSON.stringify(serversOf(request))},${rest}`;
    return reply.type('application/json; charset=utf-8').send(openapi);
  });
  const serversOf = (request: FastifyRequest) => [{ url: originOf(request, config), description: 'This server' }];

  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: docsPolicy,
    transformSpecification: (document, request) => ({ ...document, servers: serversOf(request) }),
    transformSpecificationClone: false,
    uiConfig: {
      layout: 'BaseLayout',
      // With true, the browser would store the password of the form.
      persistAuthorization: false,
      displayRequestDuration: true,
      tryItOutEnabled: true,
      deepLinking: true,
    },
    theme: { title: 'Quoin' },
  });
}

/** Returns the JSON of a document without its servers and without the first brace. */
const restOf = ({ servers: _, ...document }: Document): string => JSON.stringify(document).slice(1);
