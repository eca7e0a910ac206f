import type { Database } from '@quoin/db';
import { type Command, dbCommand, refusePending } from '@quoin/db/cli';
import { runCommand, type Terminal } from '@quoin/db/command';
import { ConfigError, parseConfig } from '../config/config.ts';
import { createEmbedder, EmbeddingError } from '../documents/embedder.ts';
import { reembed } from './reembed.ts';

// The commands of the database, and the one among them that needs more than a database.

export const reembedding: Command = {
  usage:
    '  reembed                      embed what EMBEDDING_MODEL has not embedded yet; stopped, it goes on when run again',
  run: (database, terminal) =>
    run(database, terminal).catch((error) => {
      throw error instanceof EmbeddingError || error instanceof ConfigError ? new Error(error.message) : error;
    }),
};

async function run(database: Database, { env, stdout, stderr }: Terminal): Promise<number> {
  const { embedding } = parseConfig(env);
  if (!embedding) throw new Error('EMBEDDING_URL is not set: there is no service that makes embeddings');
  await refusePending(database);
  const { embedded, waiting } = await reembed(database, createEmbedder(embedding), {
    progress: ({ seen, of, embedded }) => stderr.write(`${embedded} embedded, ${seen} of ${of} documents looked at\n`),
    failed: ({ message }) => stderr.write(`${message}\n`),
  });
  stdout.write(`${embedded} documents have a new embedding, by ${embedding.model}\n`);
  if (waiting === 0) return 0;
  stdout.write(`${waiting} wait for one still: run this again, or leave them to the server\n`);
  return 1;
}

if (import.meta.main) await runCommand(dbCommand({ reembed: reembedding }));
