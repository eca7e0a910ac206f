import type { Database } from '@quoin/db';
import { type Embedder, EmbeddingError } from './embedder.ts';

interface Dependencies {
  database: Database;
  embedder: Embedder;
  clock: () => Date;
  log: { warn: (fields: { err: EmbeddingError; documents: number }, message: string) => void };
}

const batchSize = 32;
/** While a process embeds a document, no other one does. If it dies, another process takes over after this time. */
const leaseMs = 5 * 60_000;
const retryMsMin = 30_000;
const retryMsMax = 86_400_000;
const effort = { timeoutMs: 60_000, attemptsMax: 3 };

/** Computes the embeddings of documents that wait for one. Until then, keyword search finds them. */
export function createEmbeddingJob({ database, embedder, clock, log }: Dependencies) {
  return {
    /**
     * Embeds the due documents in batches. Stops after a batch without a result.
     *
     * @param progress called with the total after each batch
     * @returns the number of embedded documents
     */
    embedWaiting: async (progress: (total: number) => void = () => {}): Promise<number> => {
      let total = 0;
      for (;;) {
        const now = clock();
        const leaseEnd = new Date(now.getTime() + leaseMs);
        const claimed = await database.system().documentEmbeddings.claim(now, leaseEnd, batchSize);
        const done = await embed(claimed, leaseEnd);
        total += done;
        if (done > 0) progress(total);
        if (claimed.length < batchSize || done === 0) return total;
      }
    },
  };

  type Claimed = { user_id: string; id: string; title: string; content: string; embed_attempts: number };

  async function embed(claimed: Claimed[], leaseEnd: Date): Promise<number> {
    if (claimed.length === 0) return 0;
    try {
      const vectors = await embedder.embed(
        claimed.map(({ title, content }) => `${title}\n\n${content}`),
        effort,
      );
      let done = 0;
      for (const [index, document] of claimed.entries()) {
        const vector = vectors[index];
        const isSet =
          vector && (await database.system().documentEmbeddings.set(document, leaseEnd, vector, embedder.model));
        if (isSet) done += 1;
      }
      return done;
    } catch (error) {
      if (!(error instanceof EmbeddingError)) throw error;
      // The service may refuse one text of the batch. The others must not wait for it.
      if (error.isPermanent && claimed.length > 1) {
        let done = 0;
        for (const one of claimed) done += await embed([one], leaseEnd);
        return done;
      }
      await postpone(claimed, leaseEnd);
      log.warn({ err: error, documents: claimed.length }, 'could not embed documents; they will be tried again');
      return 0;
    }
  }

  async function postpone(claimed: Claimed[], leaseEnd: Date): Promise<void> {
    for (const document of claimed) {
      const delay = Math.min(retryMsMin * 2 ** (document.embed_attempts - 1), retryMsMax);
      const next = new Date(clock().getTime() + delay);
      await database.system().documentEmbeddings.postpone(document, leaseEnd, next);
    }
  }
}

export type EmbeddingJob = ReturnType<typeof createEmbeddingJob>;
