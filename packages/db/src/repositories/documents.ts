import { CompiledQuery, type Insertable, sql, type Updateable } from 'kysely';
import type { Tables } from '../schema/tables.ts';
import type { Vector } from '../schema/vector.ts';
import type { OrganizationContext, OwnerContext } from './context.ts';
import { enqueueCall, type NewJob } from './jobs.ts';
import { type PageRequest, paged } from './page.ts';
import { hasVersion, microsecondsOf, type Versions } from './version.ts';

const contentColumns = ['title', 'content', 'metadata', 'created_at', 'updated_at'] as const;

/** The documents of a user or of an organization: the table, and its column with the id of the owner. The two tables have the same other columns. */
function tableOf({ owner }: (OwnerContext | OrganizationContext)['scope']) {
  const isOrganization = owner.organizationId !== undefined;
  return {
    // Kysely knows one of the tables.
    table: (isOrganization ? 'organization_documents' : 'documents') as 'documents',
    ownerColumn: (isOrganization ? 'organization_id' : 'user_id') as 'user_id',
    ownerId: isOrganization ? owner.organizationId : owner.userId,
  };
}

/** A computed embedding changes the ETag, so that caches refresh, but not the part that `If-Match` compares, so that a concurrent change succeeds. */
const versionIn = (table: 'documents') =>
  sql<string>`${microsecondsOf(table)} || case when embedding is null then '' else '-embedded' end`.as('version');
const hasEmbedding = sql<boolean>`embedding is not null`.as('has_embedding');

type Written = 'title' | 'content' | 'metadata' | 'embedding';
export type NewDocument = Required<Pick<Insertable<Tables['documents']>, Written | 'id'>>;
export type DocumentChanges = Pick<Updateable<Tables['documents']>, Written>;

/** A document without its embedding. One of an organization has `organization_id` instead of `user_id`. */
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

const ranked = (matches: string) =>
  `select id, row_number() over (order by score desc, id desc) as rank from ${matches}`;
// Constant texts: building them for each search took as long as checking the access token.
const queriesOn = (table: string, ownerColumn: string) => {
  const select = (matches: string) => `
  select d.id, ${[ownerColumn, ...contentColumns].map((column) => `d.${column}`).join(', ')}, d.embedding is not null as has_embedding, m.score
  from ${matches} m join ${table} d on d.id = m.id
  order by m.score desc, d.id desc`;
  return {
    byMeaning: select('semantic_matches($1::vector, $2::jsonb, $3::int)'),
    byWords: select('keyword_matches($1::text, $2::jsonb, $3::int)'),
    byBoth: select(`(
  select id, sum(1.0 / (${fusionConstant} + rank))::double precision as score from (
    ${ranked('semantic_matches($1::vector, $3::jsonb, $5::int)')}
    union all
    ${ranked('keyword_matches($2::text, $3::jsonb, $5::int)')}) ranks
  group by id order by score desc, id desc limit $4::int)`),
  };
};
const queries = {
  documents: queriesOn('documents', 'user_id'),
  organization_documents: queriesOn('organization_documents', 'organization_id'),
};

/** Documents of the owner of the scope. */
export const documents = ({ db, scope }: OwnerContext | OrganizationContext) => {
  const { table, ownerColumn, ownerId } = tableOf(scope);
  const columns = ['id', ownerColumn, ...contentColumns] as const;
  const version = versionIn(table);
  return {
    find: (id: string, versions?: Versions) =>
      db
        .selectFrom(table)
        .select(columns)
        .select([hasEmbedding, version])
        .where(ownerColumn, '=', ownerId)
        .where('id', '=', id)
        .where(hasVersion(table, versions))
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
              .selectFrom(table)
              .select(['id', sql<number>`octet_length(content)`.as('bytes')])
              .where(ownerColumn, '=', ownerId),
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
        .innerJoin(table, `${table}.id`, 'sized.id')
        .select(columns.map((column) => `${table}.${column}` as const))
        .select(['total', hasEmbedding])
        .where(`${table}.${ownerColumn}`, '=', ownerId)
        .where('bytes_before', '<', sql<string>`${bytesMax}::bigint`)
        .orderBy(`${table}.id`, 'desc')
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
        .insertInto(table)
        .columns(['id', ownerColumn, 'title', 'content', 'metadata', 'embedding'])
        .expression(
          sql`select id, ${ownerId}::uuid, title, content, metadata, embedding::vector
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
        .updateTable(table)
        .set(changes)
        .set(embedding ? { embedding, embedding_model: null } : ifTextChanges(changes))
        .where(ownerColumn, '=', ownerId)
        .where('id', '=', id)
        .where(hasVersion(table, versions))
        .returning(columns)
        .returning([hasEmbedding, version])
        .executeTakeFirst(),

    /** Resolves to whether the document existed, with one of the versions. */
    delete: async (id: string, versions?: Versions) => {
      const { numDeletedRows } = await db
        .deleteFrom(table)
        .where(ownerColumn, '=', ownerId)
        .where('id', '=', id)
        .where(hasVersion(table, versions))
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
        ? CompiledQuery.raw(queries[table].byWords, [words, filter, limit])
        : words === undefined
          ? CompiledQuery.raw(queries[table].byMeaning, [vector, filter, limit])
          : CompiledQuery.raw(queries[table].byBoth, [vector, words, filter, limit, Math.max(limit, fusedMin)]);
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
