import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, id, increaseUpdatedAt, notExported, ownedBy, updatedAt } from './columns.ts';
import { UserSchema } from './user.ts';
import { embeddingWidth, type Vector } from './vector.ts';

export const DocumentSchema = defineEntity({
  name: 'Document',
  tableName: 'documents',
  comment: 'Texts of a user, searchable by words and by meaning.',
  properties: {
    user: () =>
      p
        .manyToOne(UserSchema)
        .primary()
        .deleteRule('cascade')
        .foreignKeyName('fk_documents_user_id')
        .comment('The owner.'),
    id: id(),
    title: p.string().length(200).comment('Title; not blank.'),
    content: p.text().comment('The text.'),
    metadata: p
      .json<Record<string, unknown>>()
      .defaultRaw(`'{}'::jsonb`)
      .comment('Metadata of the product: a JSON object. Searches filter by containment.'),
    embedding: p
      .string()
      .$type<Vector>()
      .columnType(`vector(${embeddingWidth})`)
      .nullable()
      .comment(`Embedding of the text, scaled to length 1; null until there is one. ${notExported}`),
    embedding_model: p
      .string()
      .length(100)
      .nullable()
      .comment('Model that computed the embedding; null if the client sent it.'),
    search: p
      .string()
      .columnType('tsvector')
      .generated(
        `(setweight(to_tsvector('english'::regconfig, title::text), 'A') || setweight(to_tsvector('english'::regconfig, content), 'B')) stored`,
      )
      .nullable()
      .comment(`Lexemes for the keyword search. ${notExported}`),
    created_at: createdAt(),
    updated_at: updatedAt(),
  },
  indexes: [
    {
      name: 'idx_documents_user_id_embedded',
      expression:
        'create index "idx_documents_user_id_embedded" on "documents" ("user_id") where embedding is not null',
    },
    {
      name: 'idx_documents_embedding',
      // pgvector's defaults, 16 and 64, miss one of thirty nearest neighbours: docs/decisions/007.
      expression:
        'create index "idx_documents_embedding" on "documents" using hnsw ("embedding" vector_cosine_ops) with (m = 24, ef_construction = 128)',
    },
    {
      name: 'idx_documents_search',
      expression: 'create index "idx_documents_search" on "documents" using gin ("search")',
    },
    {
      name: 'idx_documents_metadata',
      expression: 'create index "idx_documents_metadata" on "documents" using gin ("metadata" jsonb_path_ops)',
    },
  ],
  checks: [{ name: 'chk_documents_embedding', expression: 'vector_norm(embedding) > 0' }],
  triggers: [
    {
      name: 'set_updated_at',
      timing: 'before',
      events: ['update'],
      forEach: 'row',
      // A new embedding is not a change that the owner made.
      body: `if row(new.title, new.content, new.metadata) is distinct from row(old.title, old.content, old.metadata) or (new.embedding is distinct from old.embedding and new.embedding_model is null) then ${increaseUpdatedAt} end if; return new;`,
    },
  ],
  ...ownedBy('documents', 'user_id'),
});
