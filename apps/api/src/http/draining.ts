import type { FastifyInstance } from 'fastify';

/** Tells clients to go elsewhere while the server stops: every response closes its connection, and no request finds a closed one. */
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
