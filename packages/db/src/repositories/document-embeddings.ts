import { sql } from 'kysely';
import type { Vector } from '../schema/vector.ts';
import type { Context } from './context.ts';

/** The primary key of a document. */
export interface DocumentKey {
  user_id: string;
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
const columns = ['user_id', 'id', 'title', 'content', textHash.as('text_hash')] as const;

/** Embeddings of the documents of all users, for the job that computes them. */
export const documentEmbeddings = ({ db }: Context) => ({
  /** Returns those of the documents that have no embedding. */
  findWithout: (keys: readonly DocumentKey[]): Promise<DocumentText[]> =>
    db
      .selectFrom('documents')
      .select(columns)
      .where('embedding', 'is', null)
      .where(
        sql<boolean>`(user_id, id) in (select * from unnest(${keys.map(({ user_id }) => user_id)}::uuid[], ${keys.map(({ id }) => id)}::uuid[]))`,
      )
      .execute(),

  /**
   * Returns up to `count` documents after `after`, by key, that have no embedding or one of another model. Embeddings that clients sent have no model and do not
   * count.
   */
  findOfOtherModels: (model: string, after: DocumentKey, count: number): Promise<DocumentText[]> =>
    db
      .selectFrom('documents')
      .select(columns)
      .where(sql<boolean>`(user_id, id) > (${after.user_id}, ${after.id})`)
      .where(({ or, eb }) => or([eb('embedding', 'is', null), eb('embedding_model', '<>', model)]))
      .orderBy('user_id')
      .orderBy('id')
      .limit(count)
      .execute(),

  /** Stores embeddings, except of documents whose text has changed, and of those whose client has sent an embedding. */
  set: async (documents: readonly (DocumentText & { embedding: Vector })[], model: string): Promise<void> => {
    const rows = documents.map(({ user_id, id, text_hash, embedding }) => ({
      user_id,
      id,
      text_hash: Buffer.from(text_hash).toString('hex'),
      embedding: embedding.toString(),
    }));
    // One parameter for any number of rows, so that the server prepares one statement.
    await sql`
      update documents d set embedding = new.embedding::vector, embedding_model = ${model}
      from json_to_recordset(${JSON.stringify(rows)}::json) as new (user_id uuid, id uuid, text_hash text, embedding text)
      where d.user_id = new.user_id and d.id = new.id and (d.embedding is null or d.embedding_model is not null)
        and sha256(convert_to(d.title || ' ' || d.content, 'UTF8')) = decode(new.text_hash, 'hex')`.execute(db);
  },

  /** Resolves to the number of documents of all users that have no embedding or one of another model. */
  countOfOtherModels: async (model: string): Promise<number> => {
    const { count } = await db
      .selectFrom('documents')
      .where(({ or, eb }) => or([eb('embedding', 'is', null), eb('embedding_model', '<>', model)]))
      .select(({ fn }) => fn.countAll<string>().as('count'))
      .executeTakeFirstOrThrow();
    return Number(count);
  },
});
