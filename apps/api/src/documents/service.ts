import { type Database, newId, type OwnerRepositories, type Scope, type Versions } from '@quoin/db';
import { scopeFor } from '../auth/owner.ts';
import { found, Problem } from '../http/errors.ts';
import { pageFrom, pageRequest } from '../http/page.ts';
import { requireRow } from '../http/preconditions.ts';
import { createTurns } from '../http/throttle/turns.ts';
import type { JobKind } from '../queue/job.ts';
import type { Embedder } from './embedder.ts';
import { type EmbeddingJob, embeddingJobsFor } from './embedding-job.ts';
import type { DocumentChanges, DocumentQuery, DocumentSearch, NewDocument } from './schemas.ts';
import { interpretSearch, searchError, searchMsMax } from './search.ts';
import { toVector } from './vector.ts';

interface Dependencies {
  database: Database;
  /** Undefined if no service is configured. */
  embedder: Embedder | undefined;
  /** Computes embeddings; undefined if no service is configured. */
  embeddingJob: JobKind<EmbeddingJob> | undefined;
}

const limitDefault = 10;
const pageBytesMax = 2 * 1024 * 1024;
/** Concurrent searches of all users, of a pool that has ten connections by default. */
const searchesMax = 3;
const searchesWaitingMax = 64;

/** Documents of a user, searchable by words and by meaning. `userId` is that of the path: `me` or an id. */
export function createDocuments({ database, embedder, embeddingJob }: Dependencies) {
  const turns = createTurns(
    searchesMax,
    searchesWaitingMax,
    () => new Problem('overloaded', 'Too many searches are waiting. Try again later.'),
  );
  const ownedBy = (scope: Scope, userId: string) => database.as(scopeFor(scope, userId));

  return {
    list: async (scope: Scope, userId: string, query: DocumentQuery) => {
      const owner = scopeFor(scope, userId);
      const list = `documents of ${owner.owner.userId}`;
      const page = pageRequest(list, query);
      const { rows, hasMore } = await database.as(owner).documents.list(page, pageBytesMax);
      return pageFrom(list, rows, page, { hasMore });
    },

    create: (scope: Scope, userId: string, document: NewDocument) =>
      insert(
        scope,
        userId,
        rowsOf([document], () => '/embedding'),
        ([created]) => found(created),
      ),

    /** Creates all documents or none. */
    createMany: (scope: Scope, userId: string, items: NewDocument[]) => {
      const rows = rowsOf(items, (index) => `/items/${index}/embedding`);
      return insert(scope, userId, rows, (created) => ({ items: created }));
    },

    get: async (scope: Scope, userId: string, id: string) => found(await ownedBy(scope, userId).documents.find(id)),

    /** Changes the given fields. A new text needs a new embedding. */
    update: async (
      scope: Scope,
      userId: string,
      id: string,
      { embedding, ...changes }: DocumentChanges,
      versions: Versions,
    ) => {
      const columns = { ...changes, ...(embedding && { embedding: toVector(embedding, '/embedding') }) };
      const isEmpty = Object.keys(columns).length === 0;
      const owned = ownedBy(scope, userId);
      const hasNewText = !embedding && (changes.title !== undefined || changes.content !== undefined);
      if (!embeddingJob || !hasNewText) return owned.effect(change);
      const updated = await owned.transaction(async (repositories) => {
        const document = await change(repositories);
        await embeddingJob.enqueue(repositories, embeddingJobsFor([id]));
        return document;
      });
      embeddingJob.wake();
      return updated;

      async function change({ documents }: OwnerRepositories) {
        const document = await (isEmpty ? documents.find(id, versions) : documents.update(id, columns, versions));
        return requireRow(versions, document, () => documents.find(id));
      }
    },

    delete: async (scope: Scope, userId: string, id: string, versions: Versions) =>
      ownedBy(scope, userId).effect(async ({ documents }) => {
        const isDeleted = await documents.delete(id, versions);
        if (!isDeleted) await requireRow(versions, undefined, () => documents.find(id));
      }),

    search: async (scope: Scope, userId: string, search: DocumentSearch) => {
      const owner = scopeFor(scope, userId);
      const { limit = limitDefault, metadata = {} } = search;
      const request = { ...(await interpretSearch(search, embedder)), metadata, limit };
      const caller = { account: owner.owner.userId, address: owner.owner.userId };
      const run = () =>
        database.replica
          .as(owner)
          .transaction(({ documents }) => documents.search(request), { statementMsMax: searchMsMax });
      const items = await turns.take(run, caller).catch((error) => {
        throw searchError(error);
      });
      return { items };
    },
  };

  async function insert<T>(
    scope: Scope,
    userId: string,
    rows: ReturnType<typeof rowsOf>,
    resultOf: (created: Awaited<ReturnType<OwnerRepositories['documents']['create']>>) => T,
  ): Promise<T> {
    const waiting = rows.filter(({ embedding }) => embedding === null).map(({ id }) => id);
    const jobs = embeddingJob?.jobsFor(embeddingJobsFor(waiting));
    const result = await ownedBy(scope, userId).effect(async ({ documents }) =>
      resultOf(await documents.create(rows, jobs)),
    );
    embeddingJob?.wake();
    return result;
  }

  function rowsOf(items: NewDocument[], pointerOf: (index: number) => string) {
    return items.map(({ title, content, metadata = {}, embedding }, index) => ({
      id: newId(),
      title,
      content,
      metadata,
      embedding: embedding ? toVector(embedding, pointerOf(index)) : null,
    }));
  }
}

export type Documents = ReturnType<typeof createDocuments>;
