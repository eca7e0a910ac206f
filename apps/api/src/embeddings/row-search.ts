import type { Database, EmbeddingName, Nearest, RowKey } from '@quoin/db';
import { type Static, Type } from 'typebox';
import { invalid, Problem } from '../http/errors.ts';
import { closed } from '../http/schema.ts';
import { createTurns } from '../http/throttle/turns.ts';
import type { JobKind } from '../queue/job.ts';
import type { Jobs } from '../queue/jobs.ts';
import { createEmbedRows, rowsPerRequest } from './embed-rows.ts';
import { type Embedder, EmbeddingError } from './embedder.ts';
import { searchError, searchMsMax } from './search-limits.ts';

// Search by meaning in tables of a product whose rows have an embedding.

const RowKeyJob = Type.Object({ owner_id: Type.String(), id: Type.String() });

export interface EmbeddingDependencies {
  database: Database;
  jobs: Pick<Jobs, 'define'>;
  /** Undefined if no service is configured. */
  embedder: Embedder | undefined;
}

/**
 * Defines the job that computes the embeddings of the rows of a table.
 *
 * @param name words, such as `embed products`
 * @param repository of `database.system()`
 * @returns undefined if no service is configured
 */
export function defineRowEmbedding(
  name: string,
  repository: EmbeddingName,
  { database, jobs, embedder }: EmbeddingDependencies,
): JobKind<RowKey> | undefined {
  if (!embedder) return undefined;
  const embeddings = database.system()[repository];
  const embedRows = createEmbedRows({ embeddings, embedder });
  return jobs.define({
    name,
    data: RowKeyJob,
    batchSize: rowsPerRequest,
    retrySeconds: 30,
    retrySecondsMax: 86_400,
    runBatch: async (running) => {
      const refused = await embedRows(await embeddings.findWithout(running.map(({ data }) => data)));
      return new Map(running.flatMap((job) => (refused.has(job.data.id) ? [[job, refused.get(job.data.id)]] : [])));
    },
  });
}

/** The body of a search by meaning. */
export const RowSearch = closed(
  {
    query: Type.String({
      minLength: 1,
      maxLength: 10_000,
      pattern: '\\S',
      description: 'A text; rows nearest to it in meaning come first.',
      examples: ['something for a rainy day'],
    }),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 50, default: 10, description: 'Maximum number of items.' }),
    ),
  },
  { title: 'RowSearch', examples: [{ query: 'something for a rainy day', limit: 5 }] },
);
export type RowSearch = Static<typeof RowSearch>;

/** How near a row is. */
export const score = Type.Number({ description: 'Cosine similarity, -1 to 1.', examples: [0.83] });

const limitDefault = 10;
/** Short, because a request waits for the response. */
const effort = { timeoutMs: 5_000, attemptsMax: 2 };
/** Concurrent searches of one process, of a pool that has ten connections by default. */
const searchesMax = 3;
const searchesWaitingMax = 64;

/** Database access that ends a statement after a time. */
interface Unit<Repositories> {
  transaction<T>(work: (repositories: Repositories) => Promise<T>, options: { statementMsMax: number }): Promise<T>;
}

/** Returns a function that searches rows by meaning. */
export function createRowSearch({ embedder }: { embedder: Embedder | undefined }) {
  const turns = createTurns(
    searchesMax,
    searchesWaitingMax,
    () => new Problem('overloaded', 'Too many searches are waiting. Try again later.'),
  );

  /** @throws Problem `validation_failed` without a service, `embedding_unavailable`, `query_too_expensive`, `overloaded` */
  return async <Repositories, Row>(
    unit: Unit<Repositories>,
    caller: string,
    { query, limit = limitDefault }: RowSearch,
    find: (repositories: Repositories, request: Nearest) => Promise<Row[]>,
  ): Promise<{ items: Row[] }> => {
    if (!embedder) throw invalid('/query', 'cannot be searched for, because no embedding service is configured');
    const [vector] = await embedder.embed([query], effort).catch((error) => {
      if (!(error instanceof EmbeddingError)) throw error;
      throw new Problem('embedding_unavailable', 'Try again in a moment.', { cause: error });
    });
    if (!vector) return { items: [] };
    const request = { vector, model: embedder.model, limit };
    const run = () => unit.transaction((repositories) => find(repositories, request), { statementMsMax: searchMsMax });
    const items = await turns.take(run, { account: caller, address: caller }).catch((error) => {
      throw searchError(error);
    });
    return { items };
  };
}
