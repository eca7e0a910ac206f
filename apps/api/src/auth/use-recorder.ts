import type { FastifyInstance } from 'fastify';

const delayMs = 1_000;

/**
 * Collects uses of credentials and writes them together a moment later, off the path of any request. A failed write fails no request.
 *
 * @param merge returns which of two uses of one credential to write
 */
export function createUseRecorder<Use>(
  app: FastifyInstance,
  write: (uses: Use[]) => Promise<unknown>,
  idOf: (use: Use) => string,
  merge: (known: Use, use: Use) => Use,
) {
  let uses = new Map<string, Use>();
  let timer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();

  const writeCollected = async () => {
    timer = undefined;
    const collected = [...uses.values()];
    uses = new Map();
    await write(collected).catch((error) =>
      app.log.warn({ err: error }, 'could not record the last use of credentials'),
    );
  };
  const flush = () => {
    writing = writing.then(writeCollected);
  };

  app.addHook('onClose', async () => {
    clearTimeout(timer);
    if (uses.size > 0) flush();
    await writing;
  });

  return (use: Use) => {
    const known = uses.get(idOf(use));
    uses.set(idOf(use), known ? merge(known, use) : use);
    timer ??= setTimeout(flush, delayMs).unref();
  };
}
