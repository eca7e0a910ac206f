import type { SelectQueryBuilder } from 'kysely';
import type { Tables } from '../schema/tables.ts';
import type { Vector } from '../schema/vector.ts';
import type { Context } from './context.ts';

/** Embeddings of the documents of all users, for the job that computes them. */
export const documentEmbeddings = ({ db }: Context) => ({
  /** Claims at most `limit` documents that wait for an embedding, until `leaseEnd`. Any number of processes can claim at once. */
  claim: (now: Date, leaseEnd: Date, limit: number) =>
    db
      .updateTable('documents')
      .set((set) => ({ embed_after: leaseEnd, embed_attempts: set('embed_attempts', '+', 1) }))
      .where('id', 'in', (inner) =>
        inner
          .selectFrom('documents')
          .select('id')
          .where('embed_after', '<=', now)
          .orderBy('embed_after')
          .limit(limit)
          .forUpdate()
          .skipLocked(),
      )
      .returning(['id', 'title', 'content', 'embed_attempts'])
      .execute(),

  /** Stores the embedding of a claimed document, unless its text has changed since. Resolves to whether it did. */
  set: async (id: string, leaseEnd: Date, embedding: Vector, model: string) => {
    const { numUpdatedRows } = await db
      .updateTable('documents')
      .set({ embedding, embedding_model: model, embed_after: null, embed_attempts: 0 })
      .where('id', '=', id)
      .where('embed_after', '=', leaseEnd)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  },

  postpone: (id: string, leaseEnd: Date, nextAttemptAt: Date) =>
    db
      .updateTable('documents')
      .set({ embed_after: nextAttemptAt })
      .where('id', '=', id)
      .where('embed_after', '=', leaseEnd)
      .execute(),

  /**
   * Among the next `count` documents after `after`, by id: drops the embeddings of other models and makes those due that wait. Embeddings that clients sent stay.
   * Resolves to the last id; undefined if there are no more documents.
   */
  expire: async (model: string, now: Date, after: string, count: number) => {
    const next = db.selectFrom('documents').select('id').where('id', '>', after).orderBy('id').limit(count);
    await db
      .updateTable('documents')
      .set({ embedding: null, embedding_model: null, embed_after: now, embed_attempts: 0 })
      .where('id', 'in', next)
      .where(({ or, eb }) => or([eb('embedding_model', '<>', model), eb('embed_after', '>', now)]))
      .execute();
    const last = await db.selectFrom(next.as('next')).select('id').orderBy('id', 'desc').limit(1).executeTakeFirst();
    return last?.id;
  },

  /** Number of documents of all users. */
  countDocuments: () => countOf(db.selectFrom('documents')),

  /** Number of documents that wait for an embedding. */
  countWaiting: () => countOf(db.selectFrom('documents').where('embed_after', 'is not', null)),
});

async function countOf(rows: SelectQueryBuilder<Tables, 'documents', unknown>): Promise<number> {
  const { count } = await rows.select(({ fn }) => fn.countAll<string>().as('count')).executeTakeFirstOrThrow();
  return Number(count);
}
