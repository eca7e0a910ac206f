import type { DocumentSearch as SearchRequest } from '@quoin/db';
import { type Embedder, EmbeddingError } from '../embeddings/embedder.ts';
import { invalid, Problem } from '../http/errors.ts';
import type { DocumentSearch } from './schemas.ts';
import { toVector } from './vector.ts';

// What a search looks for, and the errors of searches that cost too much.

/** Ranking compares words with each other: 16 words cost 2 ms for the largest document, 60 words cost 30 ms. */
const wordsMax = 16;
/** Short, because a request waits for the response. */
const effort = { timeoutMs: 5_000, attemptsMax: 2 };

/**
 * Returns what the database searches for: a vector, words, or both. Embeds the query if needed, which is slow, so no connection may be held meanwhile.
 *
 * @param embedder undefined if no service is configured
 * @throws Problem `validation_failed`, `query_too_expensive`, `embedding_unavailable`
 */
export async function interpretSearch(
  { query, embedding, mode }: DocumentSearch,
  embedder: Embedder | undefined,
): Promise<Pick<SearchRequest, 'vector' | 'words'>> {
  if (query === undefined && embedding === undefined) throw invalid('/query', 'or an embedding is required');
  if ((mode === 'keyword' || mode === 'hybrid') && query === undefined)
    throw invalid('/query', `is required for the mode ${mode}`);
  const isLong = countWords(query ?? '') > wordsMax;
  const hasMeaning = mode === undefined && (embedding !== undefined || embedder !== undefined);
  // A long query is searched by meaning if that is possible.
  if (isLong && mode !== 'semantic' && !hasMeaning) throw tooManyWords();
  const words = mode === 'semantic' || query === undefined || isLong ? {} : { words: query };
  if (mode === 'keyword') return words;
  if (embedding) return { vector: toVector(embedding, '/embedding'), ...words };
  if (!embedder) {
    if (mode === undefined) return words;
    throw invalid('/mode', `cannot be ${mode} without an embedding, because no embedding service is configured`);
  }
  try {
    const [vector] = await embedder.embed([query ?? ''], effort);
    return { ...(vector && { vector }), ...words };
  } catch (error) {
    if (!(error instanceof EmbeddingError)) throw error;
    if (mode === 'semantic' || isLong)
      throw new Problem('embedding_unavailable', 'Search by keyword, or try again in a moment.', { cause: error });
    return words;
  }
}

/** Counts words as the text search does: `or` is an operator. */
const countWords = (query: string) =>
  (query.match(/[\p{L}\p{M}\p{N}]+/gu) ?? []).filter((word) => !/^or$/i.test(word)).length;

const tooManyWords = () =>
  new Problem('query_too_expensive', `Search for at most ${wordsMax} words by keyword, or by meaning.`, {
    errors: [{ in: 'body', pointer: '/query', message: `must have at most ${wordsMax} words` }],
  });
