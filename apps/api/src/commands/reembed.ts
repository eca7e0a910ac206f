import type { Database, DocumentKey } from '@quoin/db';
import type { Embedder, EmbeddingError } from '../documents/embedder.ts';
import { createEmbeddingJob } from '../documents/embedding-job.ts';

const batchSize = 500;
const smallestId = '00000000-0000-0000-0000-000000000000';

interface Progress {
  /** Documents checked, of `total`. */
  checked: number;
  total: number;
  embedded: number;
}

/**
 * Embeds every document that has no embedding, or one of another model. Embeddings that clients sent stay. Works in batches, so that it can be stopped and
 * continued at any time. Only the current batch loses its old embeddings. A document that the service rejects stays without one.
 *
 * @param failed called for each failure; stops after one that affects all documents
 * @returns the number of embedded documents, and of those that still wait
 * @throws EmbeddingError, before anything changes, if the service does not work
 */
export async function reembed(
  database: Database,
  embedder: Embedder,
  { progress, failed }: { progress: (progress: Progress) => void; failed: (error: Error) => void },
): Promise<{ embedded: number; waiting: number }> {
  await embedder.embed(['A quoin is the stone at the corner of a wall.'], { timeoutMs: 60_000, attemptsMax: 2 });
  let isServiceDown = false;
  const warn = ({ err }: { err: EmbeddingError }) => {
    isServiceDown ||= !err.isPermanent;
    failed(err);
  };
  const job = createEmbeddingJob({ database, embedder, clock: () => new Date(), log: { warn } });

  const start = new Date();
  const total = await database.system().documentEmbeddings.countDocuments();
  let checked = 0;
  let embedded = 0;
  let last: DocumentKey | undefined = { user_id: smallestId, id: smallestId };
  while (last && !isServiceDown) {
    const after: DocumentKey = last;
    last = await database
      .system()
      .transaction(({ documentEmbeddings }) => documentEmbeddings.expire(embedder.model, start, after, batchSize));
    checked = Math.min(checked + batchSize, total);
    // The job stops after a batch without a result, which may be one batch of refused texts.
    for (let done = -1; done !== 0 && !isServiceDown; ) {
      const before = embedded;
      done = await job.embedWaiting((count) => {
        embedded = before + count;
        progress({ checked, total, embedded });
      });
    }
  }
  return { embedded, waiting: await database.system().documentEmbeddings.countWaiting() };
}
