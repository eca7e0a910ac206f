import { p } from '@mikro-orm/core';
import { increaseUpdatedAt, notExported } from './columns.ts';
import { embeddingWidth, type Vector } from './vector.ts';

/** The columns of a table whose rows are searched by meaning. */
export const embeddingColumns = () => ({
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
});

/** Sets `updated_at` on every update, except when a job stores an embedding: that is not a change that the owner made. */
export const updatedAtExceptEmbedding = {
  name: 'set_updated_at',
  timing: 'before' as const,
  events: ['update' as const],
  forEach: 'row' as const,
  body: `if new.embedding is null or new.embedding is not distinct from old.embedding then ${increaseUpdatedAt} end if; return new;`,
};
