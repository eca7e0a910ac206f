import type { Embeddings, RowText } from '@quoin/db';
import { PermanentFailure } from '../queue/job.ts';
import { type Embedder, EmbeddingError } from './embedder.ts';

/** Texts that are embedded with one request. */
export const rowsPerRequest = 32;
const effort = { timeoutMs: 60_000, attemptsMax: 3 };

/** Returns a function that embeds rows, request by request. It resolves to the errors of the rows that the service refuses, by id. */
export function createEmbedRows({ embeddings, embedder }: { embeddings: Embeddings; embedder: Embedder }) {
  /** @throws EmbeddingError if the service does not work */
  const embedRows = async (rows: readonly RowText[]): Promise<Map<string, PermanentFailure>> => {
    const refused = new Map<string, PermanentFailure>();
    for (let start = 0; start < rows.length; start += rowsPerRequest)
      await embed(rows.slice(start, start + rowsPerRequest), refused);
    return refused;
  };
  return embedRows;

  async function embed(rows: readonly RowText[], refused: Map<string, PermanentFailure>): Promise<void> {
    try {
      const texts = rows.map(({ text }) => text);
      const vectors = await embedder.embed(texts, effort);
      const embedded = rows.flatMap((row, index) => {
        const embedding = vectors[index];
        return embedding ? [{ ...row, embedding }] : [];
      });
      await embeddings.set(embedded, embedder.model);
    } catch (error) {
      if (!(error instanceof EmbeddingError) || !error.isPermanent) throw error;
      // The service may refuse one text of the batch. The others must not fail with it.
      if (rows.length > 1) for (const one of rows) await embed([one], refused);
      else refused.set(rows[0]?.id ?? '', new PermanentFailure(error.message, { cause: error }));
    }
  }
}
