import { type Database, type Repositories, type Scope, StatementTimeout, toUnitVector, type Vector } from '@quoin/db';
import { scopeOf } from '../auth/owner.ts';
import { found, invalid, notFound, Problem } from '../http/errors.ts';
import type { Pages } from '../http/page.ts';
import { createTurns } from '../passwords/turns.ts';
import { type Embedder, EmbeddingError } from './embedder.ts';
import type { DocumentChanges, DocumentQuery, DocumentSearch, NewDocument } from './schemas.ts';

interface Dependencies {
  database: Database;
  pages: Pages;
  /** Undefined where no service is configured. */
  embedder: Embedder | undefined;
  /** Has the documents embedded that wait for it. */
  wake: () => void;
  clock: () => Date;
}

const limitDefault = 10;
const pageBytesMax = 2 * 1024 * 1024;
const searchMsMax = 2_000;
/** Searches of all users at once, of a pool that has ten connections by default. */
const searchesAtOnce = 3;
const searchesWaitingMax = 64;
/** Ranking compares words with each other: 16 of them cost 2 ms for the largest document, 60 cost 30 ms. */
const wordsMax = 16;
/** The caller waits for the answer. */
const effort = { timeoutMs: 5_000, tries: 2 };

/** What users have written, found by words and by meaning. `userId` is as it stands in the path: `me` or an id. */
export function createDocuments({ database, pages, embedder, wake, clock }: Dependencies) {
  const turns = createTurns(
    searchesAtOnce,
    searchesWaitingMax,
    () => new Problem('overloaded', 'Too many searches are waiting. Try again later.'),
  );
  return {
    list: async (scope: Scope, userId: string, query: DocumentQuery) => {
      const owner = scopeOf(scope, userId);
      const list = `documents of ${owner.userId}`;
      const page = pages.request(list, query);
      const { rows, hasMore } = await database.as(owner, ({ documents }) =>
        documents.list(owner.userId, page, pageBytesMax),
      );
      return pages.from(list, rows, page, hasMore);
    },

    create: async (scope: Scope, userId: string, document: NewDocument) => {
      const [created] = await insert(scope, userId, [document], () => '/embedding');
      return found(created);
    },

    /** All of them, or none. */
    createMany: (scope: Scope, userId: string, items: NewDocument[]) =>
      insert(scope, userId, items, (index) => `/items/${index}/embedding`),

    get: async (scope: Scope, userId: string, id: string) => {
      const owner = scopeOf(scope, userId);
      return found(await database.as(owner, ({ documents }) => documents.find(owner.userId, id), { single: 'read' }));
    },

    /** Only what is sent changes; but another text is in need of another embedding. */
    update: async (scope: Scope, userId: string, id: string, { embedding, ...changes }: DocumentChanges) => {
      const owner = scopeOf(scope, userId);
      const row = { ...changes, ...(embedding && { embedding: direction(embedding, '/embedding') }) };
      const isEmpty = Object.keys(row).length === 0;
      const updated = await database.as(owner, ({ documents }) =>
        isEmpty ? documents.find(owner.userId, id) : documents.update(owner.userId, id, row, clock()),
      );
      wake();
      return found(updated);
    },

    delete: async (scope: Scope, userId: string, id: string) => {
      const owner = scopeOf(scope, userId);
      if (!(await database.as(owner, ({ documents }) => documents.delete(owner.userId, id)))) throw notFound();
    },

    search: async (scope: Scope, userId: string, search: DocumentSearch) => {
      const owner = scopeOf(scope, userId);
      const { vector, words } = await interpret(search);
      const { limit = limitDefault, metadata = {} } = search;
      const work = ({ documents }: Repositories) => documents.search({ vector, words, metadata, limit });
      const caller = { account: owner.userId, address: owner.userId };
      const items = await turns
        .take(() => database.as(owner, work, { statementMsMax: searchMsMax }), caller)
        .catch((error) => {
          throw error instanceof StatementTimeout || isTooComplex(error) ? tooExpensive(error) : error;
        });
      return { items };
    },
  };

  async function insert(scope: Scope, userId: string, items: NewDocument[], pointerOf: (index: number) => string) {
    const owner = scopeOf(scope, userId);
    const now = clock();
    const rows = items.map(({ title, content, metadata = {}, embedding }, index) => ({
      title,
      content,
      metadata,
      embedding: embedding ? direction(embedding, pointerOf(index)) : null,
      embed_after: embedding ? null : now,
    }));
    const created = await database.as(owner, ({ documents }) => documents.create(owner.userId, rows));
    wake();
    return created;
  }

  /** Turns a search into what the database looks for: a vector, words, or both. A text becomes a vector before any connection is held. */
  async function interpret({ query, embedding, mode }: DocumentSearch): Promise<{ vector?: Vector; words?: string }> {
    if (query === undefined && embedding === undefined) throw invalid('/query', 'or an embedding is required');
    const needsWords = mode === 'keyword' || mode === 'hybrid';
    if (needsWords && query === undefined) throw invalid('/query', `is required for the mode ${mode}`);
    const isLong = countWords(query ?? '') > wordsMax;
    const hasMeaning = mode === undefined && (embedding !== undefined || embedder !== undefined);
    // A long text is searched for by its meaning, if that is possible.
    if (isLong && mode !== 'semantic' && !hasMeaning) throw tooManyWords();
    const words = mode === 'semantic' || query === undefined || isLong ? {} : { words: query };
    if (mode === 'keyword') return words;

    if (embedding) return { vector: direction(embedding, '/embedding'), ...words };
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
}

export type Documents = ReturnType<typeof createDocuments>;

function direction(embedding: readonly number[], pointer: string): Vector {
  const vector = toUnitVector(embedding);
  if (!vector) throw invalid(pointer, 'must not be all zeros: that has no direction to compare');
  return vector;
}

/** `or` is an operator of the query. */
const countWords = (query: string) =>
  (query.match(/[\p{L}\p{M}\p{N}]+/gu) ?? []).filter((word) => !/^or$/i.test(word)).length;

/** PostgreSQL refuses a query of more than 32 nested operators, such as 40 hyphens before a word: with 54000, or with an internal error. */
const isTooComplex = (error: unknown) => {
  const { code, message = '' } = (error ?? {}) as { code?: string; message?: string };
  return code === '54000' || (code === 'XX000' && message.includes('tsquery'));
};

const tooManyWords = () =>
  new Problem('query_too_expensive', `Search for at most ${wordsMax} words by keyword, or by meaning.`, {
    errors: [{ in: 'body', pointer: '/query', message: `must have at most ${wordsMax} words` }],
  });

const tooExpensive = (cause: unknown) =>
  new Problem(
    'query_too_expensive',
    `The search is too complex, or took longer than ${searchMsMax / 1000} s. Search for fewer words.`,
    {
      errors: [{ in: 'body', pointer: '/query', message: 'takes too long to search for' }],
      cause,
    },
  );
