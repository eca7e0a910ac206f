import { type Database, embeddingNames, type RowKey } from '@quoin/db';
import { createEmbedRows } from '../embeddings/embed-rows.ts';
import type { Embedder } from '../embeddings/embedder.ts';

const batchSize = 500;
const smallestId = '00000000-0000-0000-0000-000000000000';

interface Progress {
  embedded: number;
  /** Texts without an embedding of the model when the command began. */
  total: number;
}

/**
 * Embeds every document, and every row of the product's embedded tables, that has no embedding, or one of another model. Embeddings that clients sent stay. Works in batches, so that it can be stopped and
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
  const system = database.system();
  const all = embeddingNames.map((name) => system[name]);
  const countLeft = async () => {
    let count = 0;
    for (const embeddings of all) count += await embeddings.countOfOtherModels(embedder.model);
    return count;
  };
  const total = await countLeft();
  let embedded = 0;
  for (const embeddings of all) {
    const embedRows = createEmbedRows({ embeddings, embedder });
    for (let last: RowKey | undefined = { owner_id: smallestId, id: smallestId }; last; ) {
      const rows = await embeddings.findOfOtherModels(embedder.model, last, batchSize);
      const refused = await embedRows(rows);
      for (const error of refused.values()) failed(error);
      embedded += rows.length - refused.size;
      progress({ embedded, total });
      last = rows.at(-1);
    }
  }
  return { embedded, left: await countLeft() };
}
