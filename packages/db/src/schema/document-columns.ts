import { p } from '@mikro-orm/core';
import { createdAt, id, increaseUpdatedAt, notExported, updatedAt } from './columns.ts';
import { embeddingColumns } from './embedding-columns.ts';

// What documents of users and of organizations have in common.

export const documentColumns = () => ({
  id: id(),
  title: p.string().length(200).comment('Title; not blank.'),
  content: p.text().comment('The text.'),
  metadata: p
    .json<Record<string, unknown>>()
    .defaultRaw(`'{}'::jsonb`)
    .comment('Metadata of the product: a JSON object. Searches filter by containment.'),
  ...embeddingColumns(),
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
});

/** @param owner the column with the id of the owner */
export const documentRules = (table: string, owner: string) => ({
  indexes: [
    {
      name: `idx_${table}_${owner}_embedded`,
      expression: `create index "idx_${table}_${owner}_embedded" on "${table}" ("${owner}") where embedding is not null`,
    },
    {
      name: `idx_${table}_embedding`,
      // pgvector's defaults, 16 and 64, miss one of thirty nearest neighbours: docs/decisions/007.
      expression: `create index "idx_${table}_embedding" on "${table}" using hnsw ("embedding" vector_cosine_ops) with (m = 24, ef_construction = 128)`,
    },
    {
      name: `idx_${table}_search`,
      expression: `create index "idx_${table}_search" on "${table}" using gin ("search")`,
    },
    {
      name: `idx_${table}_metadata`,
      expression: `create index "idx_${table}_metadata" on "${table}" using gin ("metadata" jsonb_path_ops)`,
    },
  ],
  checks: [{ name: `chk_${table}_embedding`, expression: 'vector_norm(embedding) > 0' }],
  triggers: [
    {
      name: 'set_updated_at',
      timing: 'before' as const,
      events: ['update' as const],
      forEach: 'row' as const,
      // A new embedding is not a change that the owner made.
      body: `if row(new.title, new.content, new.metadata) is distinct from row(old.title, old.content, old.metadata) or (new.embedding is distinct from old.embedding and new.embedding_model is null) then ${increaseUpdatedAt} end if; return new;`,
    },
  ],
});
