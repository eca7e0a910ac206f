import { CompiledQuery, type Insertable, type Kysely, type SelectQueryBuilder, sql, type Updateable } from 'kysely';
import { v7 } from 'uuid';
import type { Tables } from '../schema/tables.ts';
import type { Vector } from '../schema/vector.ts';
import { type PageRequest, paged } from './page.ts';

const columns = ['id', 'user_id', 'title', 'content', 'metadata', 'created_at', 'updated_at'] as const;
const hasEmbedding = sql<boolean>`embedding is not null`.as('has_embedding');

type Own = 'title' | 'content' | 'metadata' | 'embedding';
export type NewDocument = Pick<Insertable<Tables['documents']>, Own | 'embed_after'>;
export type DocumentChanges = Pick<Updateable<Tables['documents']>, Own>;

/** A document as its owner sees it. */
export type OwnDocument = Awaited<ReturnType<ReturnType<typeof documents>['create']>>[number];

export interface DocumentSearch {
  /** What it should mean, if that is asked for. */
  vector?: Vector | undefined;
  /** What words it should have, if that is asked for. */
  words?: string | undefined;
  /** What its metadata contains. */
  metadata: Record<string, unknown>;
  limit: number;
}

/** How far down a list still counts in the fusion of two. */
const fusedMin = 50;
/** Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): how little the first ranks stand out. */
const fusionConstant = 60;

// Written out, since putting them together for each search cost as much as checking who asks.
const read = (matches: string) => `
  select ${columns.map((column) => `d.${column}`).join(', ')}, d.embedding is not null as has_embedding, m.score
  from ${matches} m join documents d on d.id = m.id
  order by m.score desc, d.id desc`;
const ranked = (matches: string) =>
  `select id, row_number() over (order by score desc, id desc) as rank from ${matches}`;
const byMeaning = read('semantic_matches($1::vector, $2::jsonb, $3::int)');
const byWords = read('keyword_matches($1::text, $2::jsonb, $3::int)');
const byBoth = read(`(
  select id, sum(1.0 / (${fusionConstant} + rank))::double precision as score from (
    ${ranked('semantic_matches($1::vector, $3::jsonb, $5::int)')}
    union all
    ${ranked('keyword_matches($2::text, $3::jsonb, $5::int)')}) ranks
  group by id order by score desc, id desc limit $4::int)`);

/** Documents, each of one user. */
export const documents = (db: Kysely<Tables>) => ({
  find: (userId: string, id: string) =>
    db
      .selectFrom('documents')
      .select(columns)
      .select(hasEmbedding)
      .where('user_id', '=', userId)
      .where('id', '=', id)
      .executeTakeFirst(),

  /**
   * Newest first; a page is read from `idx_documents_user_id` in its order. It ends early, after the document with which its contents have `bytesMax`
   * bytes, because 200 of the largest documents would be 60 MB.
   *
   * @returns `hasMore`: whether another page follows
   */
  list: async (userId: string, page: PageRequest, bytesMax: number) => {
    const sizes = await paged(
      db
        .selectFrom('documents')
        .select(['id', sql<number>`octet_length(content)`.as('bytes')])
        .where('user_id', '=', userId),
      page,
    ).execute();
    let bytes = 0;
    const ids: string[] = [];
    for (const size of sizes.slice(0, page.limit)) {
      if (bytes >= bytesMax) break;
      ids.push(size.id);
      bytes += size.bytes;
    }
    const rows = await db
      .selectFrom('documents')
      .select(columns)
      .select(hasEmbedding)
      .where('user_id', '=', userId)
      .where('id', '=', sql<string>`any(${ids}::uuid[])`)
      .orderBy('id', 'desc')
      .execute();
    return { rows, hasMore: ids.length < sizes.length };
  },

  /** One statement for all of them, in their order. Violates `fk_documents_user_id` where there is no such user. */
  create: async (userId: string, newDocuments: readonly NewDocument[]) => {
    const rows = newDocuments.map((document) => ({ id: v7(), user_id: userId, ...document }));
    const created = await db.insertInto('documents').values(rows).returning(columns).returning(hasEmbedding).execute();
    const byId = new Map(created.map((document) => [document.id, document]));
    return rows.map(({ id }) => byId.get(id)).filter((document) => document !== undefined);
  },

  /** A text that becomes another one loses its embedding, unless a new one comes with it, and waits for one from `now` on. */
  update: (userId: string, id: string, { embedding, ...changes }: DocumentChanges, now: Date) =>
    db
      .updateTable('documents')
      .set(changes)
      .set(embedding ? { embedding, embedding_model: null, embed_after: null } : ifTextChanges(changes, now))
      .where('user_id', '=', userId)
      .where('id', '=', id)
      .returning(columns)
      .returning(hasEmbedding)
      .executeTakeFirst(),

  /** Resolves to whether there was one. */
  delete: async (userId: string, id: string) => {
    const { numDeletedRows } = await db
      .deleteFrom('documents')
      .where('user_id', '=', userId)
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    return numDeletedRows > 0n;
  },

  /**
   * The best first, of the user that `database.as` has named: by meaning, by words, or both, fused by their ranks. The functions find
   * ids with the indexes; what is read of them is under row level security once more.
   */
  search: async ({ vector, words, metadata, limit }: DocumentSearch) => {
    const filter = JSON.stringify(metadata);
    const query = !vector
      ? CompiledQuery.raw(byWords, [words, filter, limit])
      : words === undefined
        ? CompiledQuery.raw(byMeaning, [vector, filter, limit])
        : CompiledQuery.raw(byBoth, [vector, words, filter, limit, Math.max(limit, fusedMin)]);
    const { rows } = await db.executeQuery(query as CompiledQuery<OwnDocument & { score: number }>);
    return rows.map(({ score, ...document }) => ({ document, score }));
  },

  /**
   * Takes at most `limit` documents that wait for an embedding, and puts their next attempt to `leaseEnd`: until then nobody else takes
   * them. Any number of processes can do this at once.
   */
  claimUnembedded: (now: Date, leaseEnd: Date, limit: number) =>
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

  /** Gives a document its embedding, unless its text has changed since it was claimed. Resolves to whether it did. */
  setEmbedding: async (id: string, leaseEnd: Date, embedding: Vector, model: string) => {
    const { numUpdatedRows } = await db
      .updateTable('documents')
      .set({ embedding, embedding_model: model, embed_after: null, embed_attempts: 0 })
      .where('id', '=', id)
      .where('embed_after', '=', leaseEnd)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  },

  postponeEmbedding: (id: string, leaseEnd: Date, nextAttemptAt: Date) =>
    db
      .updateTable('documents')
      .set({ embed_after: nextAttemptAt })
      .where('id', '=', id)
      .where('embed_after', '=', leaseEnd)
      .execute(),

  /**
   * Of the next `count` documents after `after`, by id: drops the embeddings that another model made, and has all that wait for one wait no
   * longer. Resolves to the last of them, or to undefined after the last of all. Embeddings that were sent along are left alone.
   */
  expireEmbeddings: async (model: string, now: Date, after: string, count: number) => {
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

  /** How many there are, of everybody. */
  count: () => countOf(db.selectFrom('documents')),

  /** How many wait for an embedding, of everybody. */
  countUnembedded: () => countOf(db.selectFrom('documents').where('embed_after', 'is not', null)),
});

async function countOf(rows: SelectQueryBuilder<Tables, 'documents', unknown>): Promise<number> {
  const { count } = await rows.select(({ fn }) => fn.countAll<string>().as('count')).executeTakeFirstOrThrow();
  return Number(count);
}

function ifTextChanges({ title, content }: DocumentChanges, now: Date) {
  if (title === undefined && content === undefined) return {};
  const isSame = sql`(title, content) = (coalesce(${title ?? null}, title), coalesce(${content ?? null}, content))`;
  return {
    embedding: sql<Vector | null>`case when ${isSame} then embedding end`,
    embedding_model: sql<string | null>`case when ${isSame} then embedding_model end`,
    embed_after: sql<Date | null>`case when ${isSame} then embed_after else ${now}::timestamptz end`,
    embed_attempts: sql<number>`case when ${isSame} then embed_attempts else 0 end`,
  };
}
