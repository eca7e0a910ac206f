import type { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';

/** How long a download may continue while the server stops. A stream of events is ended at once, because it never ends by itself. */
const downloadMsMax = 3_000;

const isStream = (payload: unknown): payload is Readable =>
  typeof payload === 'object' && payload !== null && 'pipe' in payload && 'destroy' in payload;

/** Ends open streamed responses when the server stops, which would otherwise wait for them. */
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
