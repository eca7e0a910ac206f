import type { FastifyInstance } from 'fastify';

/** While the server drains, sends `Connection: close` with every response, so that clients do not reuse the connection. */
export function draining(app: FastifyInstance) {
  let isDraining = false;
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (isDraining) reply.header('connection', 'close');
    done(null, payload);
  });
  return {
    isDraining: () => isDraining,
    drain: () => {
      isDraining = true;
    },
  };
}
