import type { Database } from '@quoin/db';
import type { Embedder, EmbeddingError } from '../documents/embedder.ts';
import { createEmbeddingJob } from '../documents/embedding-job.ts';

const batchSize = 500;
const smallestId = '00000000-0000-0000-0000-000000000000';

interface Progress {
  /** Documents looked at, of how many. */
  seen: number;
  of: number;
  embedded: number;
}

/**
 * Has every document embedded by `embedder` that has no embedding, or one of another model; embeddings that were sent along stay. It goes
 * batch by batch, so that what is stopped at any moment goes on where it was, and at most one batch is without embeddings meanwhile.
 *
 * @param failed told each failure; after one that would come again it stops
 * @returns how many were embedded, and how many wait still
 * @throws EmbeddingError before anything has changed, where the service does not work at all
 */
export async function reembed(
  database: Database,
  embedder: Embedder,
  { progress, failed }: { progress: (progress: Progress) => void; failed: (error: Error) => void },
): Promise<{ embedded: number; waiting: number }> {
  await embedder.embed(['A quoin is the stone at the corner of a wall.'], { timeoutMs: 60_000, tries: 2 });
  let isServiceGone = false;
  const warn = ({ err }: { err: EmbeddingError }) => {
    isServiceGone ||= !err.isLasting;
    failed(err);
  };
  const job = createEmbeddingJob({ database, embedder, clock: () => new Date(), log: { warn } });

  const start = new Date();
  const of = await database.system(({ documents }) => documents.count());
  let seen = 0;
  let embedded = 0;
  let last: string | undefined = smallestId;
  while (last && !isServiceGone) {
    const after: string = last;
    last = await database.system(({ documents }) =>
      documents.expireEmbeddings(embedder.model, start, after, batchSize),
    );
    seen = Math.min(seen + batchSize, of);
    // It stops where a batch gets nothing, which may be one batch of texts that are refused.
    for (let done = -1; done !== 0 && !isServiceGone; ) {
      const before = embedded;
      done = await job.embedWaiting((total) => {
        embedded = before + total;
        progress({ seen, of, embedded });
      });
    }
  }
  const waiting = await database.system(({ documents }) => documents.countUnembedded());
  return { embedded, waiting };
}
