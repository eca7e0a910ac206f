import type { Database } from '@quoin/db';
import { type Command, dbCommand, refusePending } from '@quoin/db/cli';
import { runCommand, type Terminal } from '@quoin/db/command';
import { ConfigError, parseConfig } from '../config/config.ts';
import { createEmbedder, EmbeddingError } from '../embeddings/embedder.ts';
import { reembed } from './reembed.ts';

// The database commands, and `reembed`, which also needs the embedding service.

export const reembedding: Command = {
  usage: '  reembed                      embed what EMBEDDING_MODEL has not embedded yet; can be stopped and continued',
  run: (database, terminal) =>
    run(database, terminal).catch((error) => {
      throw error instanceof EmbeddingError || error instanceof ConfigError ? new Error(error.message) : error;
    }),
};

async function run(database: Database, { env, stdout, stderr }: Terminal): Promise<number> {
  const { embedding } = parseConfig(env);
  if (!embedding) throw new Error('EMBEDDING_URL is not set: there is no embedding service');
  await refusePending(database);
  const { embedded, left } = await reembed(database, createEmbedder(embedding), {
    progress: ({ embedded, total }) => stderr.write(`${embedded} of ${total} documents embedded\n`),
    failed: ({ message }) => stderr.write(`${message}\n`),
  });
  stdout.write(`embedded ${embedded} documents with ${embedding.model}\n`);
  if (left === 0) return 0;
  stdout.write(`${left} documents have no embedding of this model: run this again\n`);
  return 1;
}

if (import.meta.main) await runCommand(dbCommand({ reembed: reembedding }));
