import type { Database, Scope } from '@quoin/db';
import { scopeFor } from '../auth/owner.ts';
import { found, notFound, Problem } from '../http/errors.ts';
import { pageFrom, pageRequest } from '../http/page.ts';
import { createTurns } from '../http/throttle/turns.ts';
import type { Embedder } from './embedder.ts';
import type { DocumentChanges, DocumentQuery, DocumentSearch, NewDocument } from './schemas.ts';
import { interpretSearch, searchError, searchMsMax } from './search.ts';
import { toVector } from './vector.ts';

interface Dependencies {
  database: Database;
  /** Undefined if no service is configured. */
  embedder: Embedder | undefined;
  /** Starts the job that computes embeddings. */
  wake: () => void;
  clock: () => Date;
}

const limitDefault = 10;
const pageBytesMax = 2 * 1024 * 1024;
/** Concurrent searches of all users, of a pool that has ten connections by default. */
const searchesMax = 3;
const searchesWaitingMax = 64;

/** Documents of a user, searchable by words and by meaning. `userId` is that of the path: `me` or an id. */
export function createDocuments({ database, embedder, wake, clock }: Dependencies) {
  const turns = createTurns(
    searchesMax,
    searchesWaitingMax,
    () => new Problem('overloaded', 'Too many searches are waiting. Try again later.'),
  );
  const documentsOf = (scope: Scope, userId: string) => database.as(scopeFor(scope, userId)).documents;

  return {
    list: async (scope: Scope, userId: string, query: DocumentQuery) => {
      const owner = scopeFor(scope, userId);
      const list = `documents of ${owner.owner.userId}`;
      const page = pageRequest(list, query);
      const { rows, hasMore } = await database.as(owner).documents.list(page, pageBytesMax);
      return pageFrom(list, rows, page, hasMore);
    },

    create: async (scope: Scope, userId: string, document: NewDocument) => {
      const [created] = await insert(scope, userId, [document], () => '/embedding');
      return found(created);
    },

    /** Creates all documents or none. */
    createMany: (scope: Scope, userId: string, items: NewDocument[]) =>
      insert(scope, userId, items, (index) => `/items/${index}/embedding`),

    get: async (scope: Scope, userId: string, id: string) => found(await documentsOf(scope, userId).find(id)),

    /** Changes the given fields. A new text needs a new embedding. */
    update: async (scope: Scope, userId: string, id: string, { embedding, ...changes }: DocumentChanges) => {
      const documents = documentsOf(scope, userId);
      const columns = { ...changes, ...(embedding && { embedding: toVector(embedding, '/embedding') }) };
      const isEmpty = Object.keys(columns).length === 0;
      const updated = await (isEmpty ? documents.find(id) : documents.update(id, columns, clock()));
      wake();
      return found(updated);
    },

    delete: async (scope: Scope, userId: string, id: string) => {
      if (!(await documentsOf(scope, userId).delete(id))) throw notFound();
    },

    search: async (scope: Scope, userId: string, search: DocumentSearch) => {
      const owner = scopeFor(scope, userId);
      const { limit = limitDefault, metadata = {} } = search;
      const request = { ...(await interpretSearch(search, embedder)), metadata, limit };
      const caller = { account: owner.owner.userId, address: owner.owner.userId };
      const run = () =>
        database.as(owner).transaction(({ documents }) => documents.search(request), { statementMsMax: searchMsMax });
      const items = await turns.take(run, caller).catch((error) => {
        throw searchError(error);
      });
      return { items };
    },
  };

  async function insert(scope: Scope, userId: string, items: NewDocument[], pointerOf: (index: number) => string) {
    const now = clock();
    const rows = items.map(({ title, content, metadata = {}, embedding }, index) => ({
      title,
      content,
      metadata,
      embedding: embedding ? toVector(embedding, pointerOf(index)) : null,
      embed_after: embedding ? null : now,
    }));
    const created = await documentsOf(scope, userId).create(rows);
    wake();
    return created;
  }
}

export type Documents = ReturnType<typeof createDocuments>;
