import type { Database } from '@quoin/db';
import { type Embedder, EmbeddingError } from './embedder.ts';

interface Dependencies {
  database: Database;
  embedder: Embedder;
  clock: () => Date;
  log: { warn: (fields: { err: EmbeddingError; documents: number }, message: string) => void };
}

const batchSize = 32;
/** While one process embeds a document, no other one does; if it dies, another takes over after this. */
const leaseMs = 5 * 60_000;
const retryMsMin = 30_000;
const retryMsMax = 86_400_000;
const effort = { timeoutMs: 60_000, tries: 3 };

/** Gives embeddings to the documents that wait for one. Until then, and while the service is away, they are found by their words. */
export function createEmbeddingJob({ database, embedder, clock, log }: Dependencies) {
  return {
    /**
     * Embeds what is due, batch after batch, and stops where a batch gets nothing.
     *
     * @param progress told the total after each batch
     * @returns how many documents have a new embedding
     */
    embedWaiting: async (progress: (total: number) => void = () => {}): Promise<number> => {
      let total = 0;
      for (;;) {
        const now = clock();
        const leaseEnd = new Date(now.getTime() + leaseMs);
        const claimed = await database.system(({ documents }) => documents.claimUnembedded(now, leaseEnd, batchSize));
        const done = await embed(claimed, leaseEnd);
        total += done;
        if (done > 0) progress(total);
        if (claimed.length < batchSize || done === 0) return total;
      }
    },
  };

  type Claimed = { id: string; title: string; content: string; embed_attempts: number };

  async function embed(claimed: Claimed[], leaseEnd: Date): Promise<number> {
    if (claimed.length === 0) return 0;
    try {
      const texts = claimed.map(({ title, content }) => `${title}\n\n${content}`);
      const vectors = await embedder.embed(texts, effort);
      let done = 0;
      for (const [index, { id }] of claimed.entries()) {
        const vector = vectors[index];
        const isSet =
          vector &&
          (await database.system(({ documents }) => documents.setEmbedding(id, leaseEnd, vector, embedder.model)));
        if (isSet) done += 1;
      }
      return done;
    } catch (error) {
      if (!(error instanceof EmbeddingError)) throw error;
      // One text that the service refuses is not to keep the others waiting.
      if (error.isLasting && claimed.length > 1) {
        let done = 0;
        for (const one of claimed) done += await embed([one], leaseEnd);
        return done;
      }
      log.warn({ err: error, documents: claimed.length }, 'documents could not be embedded, and will be tried again');
      for (const { id, embed_attempts } of claimed) {
        const delay = Math.min(retryMsMin * 2 ** (embed_attempts - 1), retryMsMax);
        const next = new Date(clock().getTime() + delay);
        await database.system(({ documents }) => documents.postponeEmbedding(id, leaseEnd, next));
      }
      return 0;
    }
  }
}

export type EmbeddingJob = ReturnType<typeof createEmbeddingJob>;
