import { type Insertable, type Kysely, type RawBuilder, sql, type Updateable } from 'kysely';
import { v7 } from 'uuid';
import type { Tables } from '../tables.ts';
import type { Vector } from '../vector.ts';
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

  /** Newest first; a page is read from `idx_documents_user_id` in its order. */
  list: (userId: string, page: PageRequest) =>
    paged(
      db.selectFrom('documents').select(columns).select(hasEmbedding).where('user_id', '=', userId),
      page,
    ).execute(),

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
    const filter = sql`${JSON.stringify(metadata)}::jsonb`;
    const rowsMax = vector && words !== undefined ? Math.max(limit, fusedMin) : limit;
    const semantic = sql`semantic_matches(${vector}::vector, ${filter}, ${rowsMax}::int)`;
    const keyword = sql`keyword_matches(${words}::text, ${filter}, ${rowsMax}::int)`;
    const matches = !vector ? keyword : words === undefined ? semantic : fused(semantic, keyword, limit);
    const { rows } = await sql<OwnDocument & { score: number }>`
      select ${sql.join(columns.map((column) => sql.ref(`d.${column}`)))}, d.embedding is not null as has_embedding, m.score
      from ${matches} m join documents d on d.id = m.id
      order by m.score desc, d.id desc`.execute(db);
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

  /** Has at most `limit` embeddings of other models made anew; until then they stay. Resolves to how many. */
  markOutdated: async (model: string, now: Date, limit: number) => {
    const { numUpdatedRows } = await db
      .updateTable('documents')
      .set({ embed_after: now, embed_attempts: 0 })
      .where('id', 'in', (inner) =>
        inner
          .selectFrom('documents')
          .select('id')
          .where('embedding_model', '<>', model)
          .where('embed_after', 'is', null)
          .limit(limit),
      )
      .executeTakeFirstOrThrow();
    return Number(numUpdatedRows);
  },

  /** How many wait for an embedding. */
  countUnembedded: async () => {
    const { count } = await db
      .selectFrom('documents')
      .select(({ fn }) => fn.countAll<string>().as('count'))
      .where('embed_after', 'is not', null)
      .executeTakeFirstOrThrow();
    return Number(count);
  },
});

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

const fused = (semantic: RawBuilder<unknown>, keyword: RawBuilder<unknown>, limit: number) => {
  const ranked = (matches: RawBuilder<unknown>) =>
    sql`select id, row_number() over (order by score desc, id desc) as rank from ${matches}`;
  return sql`(
    select id, sum(1.0 / (${sql.lit(fusionConstant)} + rank))::double precision as score
    from (${ranked(semantic)} union all ${ranked(keyword)}) ranks
    group by id order by score desc, id desc limit ${limit}::int)`;
};
