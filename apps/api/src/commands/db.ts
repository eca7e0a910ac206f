import type { Database } from '@quoin/db';
import { type Command, dbCommand, refusePending } from '@quoin/db/cli';
import { runCommand, type Terminal } from '@quoin/db/command';
import { ConfigError, parseConfig } from '../config/config.ts';
import { createEmbedder, EmbeddingError } from '../documents/embedder.ts';
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
  const { embedded, waiting } = await reembed(database, createEmbedder(embedding), {
    progress: ({ checked, total, embedded }) =>
      stderr.write(`${embedded} embedded, ${checked} of ${total} documents checked\n`),
    failed: ({ message }) => stderr.write(`${message}\n`),
  });
  stdout.write(`embedded ${embedded} documents with ${embedding.model}\n`);
  if (waiting === 0) return 0;
  stdout.write(`${waiting} documents still wait: run this again, or leave them to the server\n`);
  return 1;
}

if (import.meta.main) await runCommand(dbCommand({ reembed: reembedding }));
