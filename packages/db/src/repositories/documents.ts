import { CompiledQuery, type Insertable, sql, type Updateable } from 'kysely';
import type { Tables } from '../schema/tables.ts';
import type { Vector } from '../schema/vector.ts';
import type { OwnerContext } from './context.ts';
import { enqueueCall, type NewJob } from './jobs.ts';
import { type PageRequest, paged } from './page.ts';
import { hasVersion, microsecondsOf, type Versions } from './version.ts';

const columns = ['id', 'user_id', 'title', 'content', 'metadata', 'created_at', 'updated_at'] as const;
/** A computed embedding changes the ETag, so that caches refresh, but not the part that `If-Match` compares, so that a concurrent change succeeds. */
const version =
  sql<string>`${microsecondsOf('documents')} || case when embedding is null then '' else '-embedded' end`.as('version');
const hasEmbedding = sql<boolean>`embedding is not null`.as('has_embedding');

type Written = 'title' | 'content' | 'metadata' | 'embedding';
export type NewDocument = Required<Pick<Insertable<Tables['documents']>, Written | 'id'>>;
export type DocumentChanges = Pick<Updateable<Tables['documents']>, Written>;

/** A document without its embedding. */
export type OwnDocument = Awaited<ReturnType<ReturnType<typeof documents>['list']>>['rows'][number];

export interface DocumentSearch {
  /** Search by meaning. */
  vector?: Vector | undefined;
  /** Search by words. */
  words?: string | undefined;
  /** Only documents whose metadata contains this. */
  metadata: Record<string, unknown>;
  limit: number;
}

/** Minimum length of the two lists that a hybrid search fuses. */
const fusedMin = 50;
/** Constant of reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): the larger, the less the first ranks stand out. */
const fusionConstant = 60;

// Constant texts: building them for each search took as long as checking the access token.
const select = (matches: string) => `
  select ${columns.map((column) => `d.${column}`).join(', ')}, d.embedding is not null as has_embedding, m.score
  from ${matches} m join documents d on d.id = m.id
  order by m.score desc, d.id desc`;
const ranked = (matches: string) =>
  `select id, row_number() over (order by score desc, id desc) as rank from ${matches}`;
const byMeaning = select('semantic_matches($1::vector, $2::jsonb, $3::int)');
const byWords = select('keyword_matches($1::text, $2::jsonb, $3::int)');
const byBoth = select(`(
  select id, sum(1.0 / (${fusionConstant} + rank))::double precision as score from (
    ${ranked('semantic_matches($1::vector, $3::jsonb, $5::int)')}
    union all
    ${ranked('keyword_matches($2::text, $3::jsonb, $5::int)')}) ranks
  group by id order by score desc, id desc limit $4::int)`);

/** Documents of the owner. */
export const documents = ({ db, scope }: OwnerContext) => {
  const { userId } = scope.owner;
  return {
    find: (id: string, versions?: Versions) =>
      db
        .selectFrom('documents')
        .select(columns)
        .select([hasEmbedding, version])
        .where('user_id', '=', userId)
        .where('id', '=', id)
        .where(hasVersion('documents', versions))
        .executeTakeFirst(),

    /**
     * Newest first. Ends the page after the document with which the contents reach `bytesMax` bytes, because 200 of the largest documents have 60 MB. The sizes
     * come from the index and the tuple headers; only the documents of the page are read whole.
     *
     * @returns `hasMore`: whether another page follows
     */
    list: async (page: PageRequest, bytesMax: number) => {
      const rows = await db
        .with('page', (inner) =>
          paged(
            inner
              .selectFrom('documents')
              .select(['id', sql<number>`octet_length(content)`.as('bytes')])
              .where('user_id', '=', userId),
            page,
          ),
        )
        .with('sized', (inner) =>
          inner
            .selectFrom('page')
            .select([
              'id',
              sql<string>`coalesce(sum(bytes) over (order by id desc rows between unbounded preceding and 1 preceding), 0)`.as(
                'bytes_before',
              ),
              sql<string>`count(*) over ()`.as('total'),
            ]),
        )
        .selectFrom('sized')
        .innerJoin('documents', 'documents.id', 'sized.id')
        .select(columns.map((column) => `documents.${column}` as const))
        .select(['total', hasEmbedding])
        .where('documents.user_id', '=', userId)
        .where('bytes_before', '<', sql<string>`${bytesMax}::bigint`)
        .orderBy('documents.id', 'desc')
        .limit(page.limit)
        .execute();
      return {
        rows: rows.map(({ total: _, ...document }) => document),
        hasMore: rows.length < Number(rows[0]?.total ?? 0),
      };
    },

    /**
     * Inserts all or none, and enqueues jobs, with one statement: a transaction of several takes half as long again. Returns the documents in order. Violates
     * `fk_documents_user_id` if the user no longer exists.
     */
    create: async (newDocuments: readonly NewDocument[], jobs: readonly NewJob[] = []) => {
      const rows = newDocuments.map(({ embedding, ...document }) => ({
        embedding: embedding?.toString() ?? null,
        ...document,
      }));
      // One parameter for any number of rows, so that the server prepares one statement.
      const created = await db
        .insertInto('documents')
        .columns(['id', 'user_id', 'title', 'content', 'metadata', 'embedding'])
        .expression(
          sql`select id, ${userId}::uuid, title, content, metadata, embedding::vector
            from json_to_recordset(${JSON.stringify(rows)}::json) as row (
              id uuid, title text, content text, metadata jsonb, embedding text)
            ${jobs.length > 0 ? sql`cross join (select ${enqueueCall(jobs)}) as enqueued` : sql``}`,
        )
        .returning(columns.filter((column) => column !== 'content'))
        .returning([hasEmbedding, version])
        .execute();
      // The contents of a batch can have 16 MiB, so they do not travel back.
      const byId = new Map(created.map((document) => [document.id, document]));
      return rows.flatMap(({ id, content }) => {
        const document = byId.get(id);
        return document ? [{ ...document, content }] : [];
      });
    },

    /** A new text drops the embedding of the old one, unless a new one comes with it. */
    update: (id: string, { embedding, ...changes }: DocumentChanges, versions?: Versions) =>
      db
        .updateTable('documents')
        .set(changes)
        .set(embedding ? { embedding, embedding_model: null } : ifTextChanges(changes))
        .where('user_id', '=', userId)
        .where('id', '=', id)
        .where(hasVersion('documents', versions))
        .returning(columns)
        .returning([hasEmbedding, version])
        .executeTakeFirst(),

    /** Resolves to whether the document existed, with one of the versions. */
    delete: async (id: string, versions?: Versions) => {
      const { numDeletedRows } = await db
        .deleteFrom('documents')
        .where('user_id', '=', userId)
        .where('id', '=', id)
        .where(hasVersion('documents', versions))
        .executeTakeFirstOrThrow();
      return numDeletedRows > 0n;
    },

    /**
     * Best first: by meaning, by words, or both, fused by their ranks. The functions find ids with the indexes; reading the documents is subject to row level
     * security again.
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
  };
};

function ifTextChanges({ title, content }: DocumentChanges) {
  if (title === undefined && content === undefined) return {};
  const isSame = sql`(title, content) = (coalesce(${title ?? null}, title), coalesce(${content ?? null}, content))`;
  return {
    embedding: sql<Vector | null>`case when ${isSame} then embedding end`,
    embedding_model: sql<string | null>`case when ${isSame} then embedding_model end`,
  };
}
