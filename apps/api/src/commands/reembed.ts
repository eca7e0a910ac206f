import type { Database, DocumentKey } from '@quoin/db';
import type { Embedder } from '../documents/embedder.ts';
import { createEmbedDocuments } from '../documents/embedding-job.ts';

const batchSize = 500;
const smallestId = '00000000-0000-0000-0000-000000000000';

interface Progress {
  embedded: number;
  /** Documents without an embedding of the model when the command began. */
  total: number;
}

/**
 * Embeds every document that has no embedding, or one of another model. Embeddings that clients sent stay. Works in batches, so that it can be stopped and
 * continued at any time. A document keeps its old embedding until it has a new one. A document that the service rejects keeps what it has.
 *
 * @param failed called for each document that the service rejects
 * @returns the number of embedded documents, and of those that are left
 * @throws EmbeddingError if the service does not work
 */
export async function reembed(
  database: Database,
  embedder: Embedder,
  { progress, failed }: { progress: (progress: Progress) => void; failed: (error: Error) => void },
): Promise<{ embedded: number; left: number }> {
  await embedder.embed(['A quoin is the stone at the corner of a wall.'], { timeoutMs: 60_000, attemptsMax: 2 });
  const { documentEmbeddings, organizationDocumentEmbeddings } = database.system();
  const all = [documentEmbeddings, organizationDocumentEmbeddings];
  const countLeft = async () => {
    let count = 0;
    for (const embeddings of all) count += await embeddings.countOfOtherModels(embedder.model);
    return count;
  };
  const total = await countLeft();
  let embedded = 0;
  for (const embeddings of all) {
    const embedDocuments = createEmbedDocuments({ embeddings, embedder });
    for (let last: DocumentKey | undefined = { owner_id: smallestId, id: smallestId }; last; ) {
      const documents = await embeddings.findOfOtherModels(embedder.model, last, batchSize);
      const refused = await embedDocuments(documents);
      for (const error of refused.values()) failed(error);
      embedded += documents.length - refused.size;
      progress({ embedded, total });
      last = documents.at(-1);
    }
  }
  return { embedded, left: await countLeft() };
}
