import { type Kysely, type SelectQueryBuilder, sql } from 'kysely';
import type { Tables } from '../schema/tables.ts';
import type { Vector } from '../schema/vector.ts';
import type { Context } from './context.ts';

/** The primary key of a row. */
export interface RowKey {
  /** The user or the organization; the id of the row, if it belongs to nobody. */
  owner_id: string;
  id: string;
}

/** A row to embed. */
export interface RowText extends RowKey {
  text: string;
  /** SHA-256 of the text. */
  text_hash: Uint8Array;
}

/** Embeddings of the documents of all users, for the job that computes them. */
export const documentEmbeddings = (context: Context) =>
  embeddingsIn(context, { table: 'documents', owner: 'user_id', texts: ['title', 'content'] });

/** Embeddings of the documents of all organizations. */
export const organizationDocumentEmbeddings = (context: Context) =>
  embeddingsIn(context, { table: 'organization_documents', owner: 'organization_id', texts: ['title', 'content'] });

/** A table with the columns `embedding` and `embedding_model`. */
interface EmbeddedTable {
  table: keyof Tables;
  /** Column with the id of the owner, or `id`, if the rows belong to nobody. */
  owner: string;
  /** Columns that are embedded, together. */
  texts: readonly string[];
}

/** Embeddings of the rows of all owners, for the job that computes them. */
export function embeddingsIn({ db: anyTable }: Context, { table: name, owner: column, texts }: EmbeddedTable) {
  // Kysely knows one of the tables. The others have the columns that are used here.
  const [db, table, owner] = [anyTable, name as 'documents', column as 'user_id'];
  const columnTexts = sql.join(texts.map((text) => sql.ref(text)));
  const text = sql<string>`concat_ws(E'\\n\\n', ${columnTexts})`;
  const columns = [
    `${owner} as owner_id`,
    'id',
    text.as('text'),
    sql<Uint8Array>`sha256(convert_to(${text}, 'UTF8'))`.as('text_hash'),
  ] as const;
  const key = sql`(${sql.ref(owner)}, id)`;
  return {
    /** Returns those of the rows that have no embedding. */
    findWithout: (keys: readonly RowKey[]): Promise<RowText[]> =>
      db
        .selectFrom(table)
        .select(columns)
        .where('embedding', 'is', null)
        .where(
          sql<boolean>`${key} in (select * from unnest(${keys.map(({ owner_id }) => owner_id)}::uuid[], ${keys.map(({ id }) => id)}::uuid[]))`,
        )
        .execute(),

    /**
     * Returns up to `count` rows after `after`, by key, that have no embedding or one of another model. Embeddings that clients sent have no model and do not
     * count.
     */
    findOfOtherModels: (model: string, after: RowKey, count: number): Promise<RowText[]> =>
      db
        .selectFrom(table)
        .select(columns)
        .where(sql<boolean>`${key} > (${after.owner_id}, ${after.id})`)
        .where(({ or, eb }) => or([eb('embedding', 'is', null), eb('embedding_model', '<>', model)]))
        .orderBy(owner)
        .orderBy('id')
        .limit(count)
        .execute(),

    /** Stores embeddings, except of rows whose text has changed, and of those whose client has sent an embedding. */
    set: async (embedded: readonly (RowText & { embedding: Vector })[], model: string): Promise<void> => {
      const rows = embedded.map(({ owner_id, id, text_hash, embedding }) => ({
        owner_id,
        id,
        text_hash: Buffer.from(text_hash).toString('hex'),
        embedding: embedding.toString(),
      }));
      // One parameter for any number of rows, so that the server prepares one statement.
      await sql`
      update ${sql.table(table)} as r set embedding = new.embedding::vector, embedding_model = ${model}
      from json_to_recordset(${JSON.stringify(rows)}::json) as new (owner_id uuid, id uuid, text_hash text, embedding text)
      where r.${sql.ref(owner)} = new.owner_id and r.id = new.id and (r.embedding is null or r.embedding_model is not null)
        and sha256(convert_to(${text}, 'UTF8')) = decode(new.text_hash, 'hex')`.execute(db);
    },

    /** Resolves to the number of rows that have no embedding or one of another model. */
    countOfOtherModels: async (model: string): Promise<number> => {
      const { count } = await db
        .selectFrom(table)
        .where(({ or, eb }) => or([eb('embedding', 'is', null), eb('embedding_model', '<>', model)]))
        .select(({ fn }) => fn.countAll<string>().as('count'))
        .executeTakeFirstOrThrow();
      return Number(count);
    },
  };
}

export type Embeddings = ReturnType<typeof embeddingsIn>;

/** What a search by meaning looks for. */
export interface Nearest {
  vector: Vector;
  /** Embeddings of other models cannot be compared with the vector. */
  model: string;
  limit: number;
}

/**
 * Nearest rows first, with their `score`.
 *
 * @param usesIndex false: compares all rows of the query, such as those of one owner, which finds all of the nearest. An expression keeps the planner from
 *   using an HNSW index.
 */
export const nearest = <DB, TB extends keyof DB, O>(
  query: SelectQueryBuilder<DB, TB, O>,
  { vector, model, limit }: Nearest,
  { usesIndex = false }: { usesIndex?: boolean } = {},
) =>
  query
    .select(sql<number>`1 - (embedding <=> ${vector}::vector)`.as('score'))
    .where(sql<boolean>`embedding_model = ${model}`)
    .orderBy(usesIndex ? sql`embedding <=> ${vector}::vector` : sql`(embedding <=> ${vector}::vector) + 0`)
    .limit(limit);

/** Prepares a transaction for searches with an HNSW index: it goes on until it has found enough rows. Sources: pgvector's documentation, docs/decisions/007. */
export const useVectorIndex = (db: Kysely<Tables>) =>
  sql`select set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', '100', true)`.execute(
    db,
  );
