import { type Database, type Scope, toUnitVector, type Vector, violatedConstraint } from '@quoin/db';
import { found, invalid, notFound, Problem } from '../errors.ts';
import { scopeOf } from '../owner.ts';
import type { Pages } from '../page.ts';
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
/** Somebody waits for the answer. */
const effort = { timeoutMs: 5_000, tries: 2 };

/** What users have written, found by words and by meaning. `userId` is as it stands in the path: `me` or an id. */
export function createDocuments({ database, pages, embedder, wake, clock }: Dependencies) {
  return {
    list: async (scope: Scope, userId: string, query: DocumentQuery) => {
      const owner = scopeOf(scope, userId);
      const list = `documents of ${owner.userId}`;
      const page = pages.request(list, query);
      const rows = await database.as(owner, ({ documents }) => documents.list(owner.userId, page), {
        single: 'read',
      });
      return pages.from(list, rows, page);
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
      const updated = await storing(() =>
        database.as(owner, ({ documents }) =>
          isEmpty ? documents.find(owner.userId, id) : documents.update(owner.userId, id, row, clock()),
        ),
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
      const items = await database.as(owner, ({ documents }) => documents.search({ vector, words, metadata, limit }), {
        single: 'read',
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
    const created = await storing(() => database.as(owner, ({ documents }) => documents.create(owner.userId, rows)));
    wake();
    return created;
  }

  /** What is asked of the database: a vector for the meaning, words, or both. The vector of a text is made before any connection is held. */
  async function interpret({ query, embedding, mode }: DocumentSearch): Promise<{ vector?: Vector; words?: string }> {
    if (query === undefined && embedding === undefined)
      throw invalid('/query', 'is needed, or an embedding: there is nothing to look for');
    const needsWords = mode === 'keyword' || mode === 'hybrid';
    if (needsWords && query === undefined) throw invalid('/query', `is needed for the mode ${mode}`);
    const words = mode === 'semantic' || query === undefined ? {} : { words: query };
    if (mode === 'keyword') return words;

    if (embedding) return { vector: direction(embedding, '/embedding'), ...words };
    if (!embedder) {
      if (mode === undefined) return words;
      throw invalid('/mode', `cannot be ${mode}: send an embedding, since no service is configured that makes one`);
    }
    try {
      const [vector] = await embedder.embed([query ?? ''], effort);
      return { ...(vector && { vector }), ...words };
    } catch (error) {
      if (!(error instanceof EmbeddingError)) throw error;
      if (mode === 'semantic')
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

/** What only the database can refuse. */
async function storing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (violatedConstraint(error) === 'fk_documents_user_id') throw notFound();
    throw error;
  }
}
