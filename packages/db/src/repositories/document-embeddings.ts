import { sql } from 'kysely';
import type { Vector } from '../schema/vector.ts';
import type { Context } from './context.ts';

/** The primary key of a document: of a user or of an organization. */
export interface DocumentKey {
  owner_id: string;
  id: string;
}

/** A document to embed. */
export interface DocumentText extends DocumentKey {
  title: string;
  content: string;
  /** SHA-256 of the text. */
  text_hash: Uint8Array;
}

const textHash = sql<Uint8Array>`sha256(convert_to(title || ' ' || content, 'UTF8'))`;

/** Embeddings of the documents of all users, for the job that computes them. */
export const documentEmbeddings = (context: Context) => embeddingsIn(context, 'documents', 'user_id');

/** Embeddings of the documents of all organizations. */
export const organizationDocumentEmbeddings = (context: Context) =>
  // Kysely knows one of the tables. They have the same columns, except for the owner.
  embeddingsIn(context, 'organization_documents' as 'documents', 'organization_id' as 'user_id');

function embeddingsIn({ db }: Context, table: 'documents', owner: 'user_id') {
  const columns = [`${owner} as owner_id`, 'id', 'title', 'content', textHash.as('text_hash')] as const;
  const key = sql`(${sql.ref(owner)}, id)`;
  return {
    /** Returns those of the documents that have no embedding. */
    findWithout: (keys: readonly DocumentKey[]): Promise<DocumentText[]> =>
      db
        .selectFrom(table)
        .select(columns)
        .where('embedding', 'is', null)
        .where(
          sql<boolean>`${key} in (select * from unnest(${keys.map(({ owner_id }) => owner_id)}::uuid[], ${keys.map(({ id }) => id)}::uuid[]))`,
        )
        .execute(),

    /**
     * Returns up to `count` documents after `after`, by key, that have no embedding or one of another model. Embeddings that clients sent have no model and do not
     * count.
     */
    findOfOtherModels: (model: string, after: DocumentKey, count: number): Promise<DocumentText[]> =>
      db
        .selectFrom(table)
        .select(columns)
        .where(sql<boolean>`${key} > (${after.owner_id}, ${after.id})`)
        .where(({ or, eb }) => or([eb('embedding', 'is', null), eb('embedding_model', '<>', model)]))
        .orderBy(owner)
        .orderBy('id')
        .limit(count)
        .execute(),

    /** Stores embeddings, except of documents whose text has changed, and of those whose client has sent an embedding. */
    set: async (documents: readonly (DocumentText & { embedding: Vector })[], model: string): Promise<void> => {
      const rows = documents.map(({ owner_id, id, text_hash, embedding }) => ({
        owner_id,
        id,
        text_hash: Buffer.from(text_hash).toString('hex'),
        embedding: embedding.toString(),
      }));
      // One parameter for any number of rows, so that the server prepares one statement.
      await sql`
      update ${sql.table(table)} d set embedding = new.embedding::vector, embedding_model = ${model}
      from json_to_recordset(${JSON.stringify(rows)}::json) as new (owner_id uuid, id uuid, text_hash text, embedding text)
      where d.${sql.ref(owner)} = new.owner_id and d.id = new.id and (d.embedding is null or d.embedding_model is not null)
        and sha256(convert_to(d.title || ' ' || d.content, 'UTF8')) = decode(new.text_hash, 'hex')`.execute(db);
    },

    /** Resolves to the number of documents that have no embedding or one of another model. */
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

export type DocumentEmbeddings = ReturnType<typeof documentEmbeddings>;
