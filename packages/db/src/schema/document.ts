import { defineEntity, p } from '@mikro-orm/core';
import { createdAt, id, momentOrNull, ownerPolicy, systemPolicy, updatedAt } from './columns.ts';
import { UserSchema } from './user.ts';
import { embeddingWidth, type Vector } from './vector.ts';

export const DocumentSchema = defineEntity({
  name: 'Document',
  tableName: 'documents',
  comment: 'What a user has written down, to be found by its words and by its meaning.',
  properties: {
    id: id(),
    user: () =>
      p
        .manyToOne(UserSchema)
        .deleteRule('cascade')
        .foreignKeyName('fk_documents_user_id')
        .comment('Whose document it is.'),
    title: p.string().length(200).comment('What it is called; never blank.'),
    content: p.text().comment('The text itself.'),
    metadata: p
      .json<Record<string, unknown>>()
      .defaultRaw(`'{}'::jsonb`)
      .comment("The product's own: any JSON object; searches filter by containment."),
    embedding: p
      .string()
      .$type<Vector>()
      .columnType(`vector(${embeddingWidth})`)
      .nullable()
      .comment('What it means, as a vector of length 1; null until there is one.'),
    embedding_model: p
      .string()
      .length(100)
      .nullable()
      .comment('The model that made the embedding here; null where it was sent along.'),
    embed_after: momentOrNull().comment('When an embedding is to be made; null where there is nothing to do.'),
    embed_attempts: p.integer().default(0).comment('How often making it was begun.'),
    search: p
      .string()
      .columnType('tsvector')
      .generated(
        `(setweight(to_tsvector('english'::regconfig, title::text), 'A') || setweight(to_tsvector('english'::regconfig, content), 'B')) stored`,
      )
      .nullable()
      .comment('Its words, for searching.'),
    created_at: createdAt(),
    updated_at: updatedAt(),
  },
  indexes: [
    // Pages go by the id: docs/decisions/003.
    { name: 'idx_documents_user_id', properties: ['user', 'id'] },
    {
      name: 'idx_documents_user_id_embedded',
      expression:
        'create index "idx_documents_user_id_embedded" on "documents" ("user_id") where embedding is not null',
    },
    {
      name: 'idx_documents_embedding',
      // With pgvector's own 16 and 64 one of thirty true neighbours is missed: docs/decisions/007.
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
    {
      name: 'idx_documents_embed_after',
      expression:
        'create index "idx_documents_embed_after" on "documents" ("embed_after") where embed_after is not null',
    },
  ],
  // As a number: MikroORM does not recognize a comparison of double precision again.
  checks: [{ name: 'chk_documents_embedding', expression: 'vector_norm(embedding)::numeric > 0' }],
  triggers: [
    {
      name: 'set_updated_at',
      timing: 'before',
      events: ['update'],
      forEach: 'row',
      // An embedding that is made in the background changes nothing that its owner would know of.
      body: `if row(new.title, new.content, new.metadata) is distinct from row(old.title, old.content, old.metadata) then new.updated_at = now(); end if; return new;`,
    },
  ],
  policies: [ownerPolicy('documents', 'user_id'), systemPolicy('documents')],
});
