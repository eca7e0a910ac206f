import type { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';

/** How long a download may take once the server stops. A stream of events ends at once: it has no end of its own. */
const downloadMsMax = 3_000;

const isStream = (payload: unknown): payload is Readable =>
  typeof payload === 'object' && payload !== null && 'pipe' in payload && 'destroy' in payload;

/** Ends the streamed responses that are open when the server stops, which would otherwise wait for them. */
export function endStreamsOnClose(app: FastifyInstance): void {
  const events = new Set<Readable>();
  const downloads = new Set<Readable>();

  app.addHook('onSend', (_request, reply, payload, done) => {
    if (isStream(payload)) {
      const open = /^text\/event-stream/i.test(String(reply.getHeader('content-type'))) ? events : downloads;
      open.add(payload);
      payload.once('close', () => open.delete(payload));
    }
    done(null, payload);
  });
  app.addHook('preClose', (done) => {
    for (const stream of events) stream.destroy();
    setTimeout(() => {
      for (const stream of downloads) stream.destroy();
    }, downloadMsMax).unref();
    done();
  });
}
