import { type SelectQueryBuilder, sql } from 'kysely';
import type { Tables } from '../schema/tables.ts';
import type { Vector } from '../schema/vector.ts';
import type { Context } from './context.ts';

/** The primary key of a document. */
export interface DocumentKey {
  user_id: string;
  id: string;
}

/** Embeddings of the documents of all users, for the job that computes them. */
export const documentEmbeddings = ({ db }: Context) => ({
  /** Claims at most `limit` documents that wait for an embedding, until `leaseEnd`. Any number of processes can claim at once. */
  claim: (now: Date, leaseEnd: Date, limit: number) =>
    db
      .with('due', (inner) =>
        inner
          .selectFrom('documents')
          .select(['user_id', 'id'])
          .where('embed_after', '<=', now)
          .orderBy('embed_after')
          .limit(limit)
          .forUpdate()
          .skipLocked(),
      )
      .updateTable('documents')
      .from('due')
      .set((set) => ({ embed_after: leaseEnd, embed_attempts: set('embed_attempts', '+', 1) }))
      .whereRef('documents.user_id', '=', 'due.user_id')
      .whereRef('documents.id', '=', 'due.id')
      .returning(['documents.user_id', 'documents.id', 'title', 'content', 'embed_attempts'])
      .execute(),

  /** Stores the embedding of a claimed document, unless its text has changed since. Resolves to whether it did. */
  set: async ({ user_id, id }: DocumentKey, leaseEnd: Date, embedding: Vector, model: string) => {
    const { numUpdatedRows } = await db
      .updateTable('documents')
      .set({ embedding, embedding_model: model, embed_after: null, embed_attempts: 0 })
      .where('user_id', '=', user_id)
      .where('id', '=', id)
      .where('embed_after', '=', leaseEnd)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  },

  postpone: ({ user_id, id }: DocumentKey, leaseEnd: Date, nextAttemptAt: Date) =>
    db
      .updateTable('documents')
      .set({ embed_after: nextAttemptAt })
      .where('user_id', '=', user_id)
      .where('id', '=', id)
      .where('embed_after', '=', leaseEnd)
      .execute(),

  /**
   * Among the next `count` documents after `after`, by key: drops the embeddings of other models and makes those due that wait. Embeddings that clients sent stay.
   * Resolves to the last key; undefined if there are no more documents.
   */
  expire: async (model: string, now: Date, after: DocumentKey, count: number): Promise<DocumentKey | undefined> => {
    const next = db
      .selectFrom('documents')
      .select(['user_id', 'id'])
      .where(sql<boolean>`(user_id, id) > (${after.user_id}, ${after.id})`)
      .orderBy('user_id')
      .orderBy('id')
      .limit(count);
    await db
      .updateTable('documents')
      .set({ embedding: null, embedding_model: null, embed_after: now, embed_attempts: 0 })
      .where(({ eb, refTuple }) => eb(refTuple('user_id', 'id'), 'in', next.$asTuple('user_id', 'id')))
      .where(({ or, eb }) => or([eb('embedding_model', '<>', model), eb('embed_after', '>', now)]))
      .execute();
    return db
      .selectFrom(next.as('next'))
      .select(['user_id', 'id'])
      .orderBy('user_id', 'desc')
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst();
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
