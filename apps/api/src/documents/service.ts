import { type Database, newId, type OwnerScope, type SharedRepositories, type Versions } from '@quoin/db';
import type { Embedder } from '../embeddings/embedder.ts';
import { searchError, searchMsMax } from '../embeddings/search-limits.ts';
import { found, Problem } from '../http/errors.ts';
import { pageFrom, pageRequest } from '../http/page.ts';
import { requireRow } from '../http/preconditions.ts';
import { createTurns } from '../http/throttle/turns.ts';
import type { JobKind } from '../queue/job.ts';
import { type EmbeddingJob, embeddingJobsFor } from './embedding-job.ts';
import type { DocumentChanges, DocumentQuery, DocumentSearch, NewDocument } from './schemas.ts';
import { interpretSearch } from './search.ts';
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

/** Documents of a user or an organization, searchable by words and by meaning. */
export function createDocuments({ database, embedder, embeddingJob }: Dependencies) {
  const turns = createTurns(
    searchesMax,
    searchesWaitingMax,
    () => new Problem('overloaded', 'Too many searches are waiting. Try again later.'),
  );
  return {
    list: async (scope: OwnerScope, query: DocumentQuery) => {
      const list = `documents of ${ownerIdOf(scope)}`;
      const page = pageRequest(list, query);
      const { rows, hasMore } = await database.as(scope).documents.list(page, pageBytesMax);
      return pageFrom(list, rows, page, { hasMore });
    },

    create: (scope: OwnerScope, document: NewDocument) =>
      insert(
        scope,
        rowsOf([document], () => '/embedding'),
        ([created]) => found(created),
      ),

    /** Creates all documents or none. */
    createMany: (scope: OwnerScope, items: NewDocument[]) => {
      const rows = rowsOf(items, (index) => `/items/${index}/embedding`);
      return insert(scope, rows, (created) => ({ items: created }));
    },

    get: async (scope: OwnerScope, id: string) => found(await database.as(scope).documents.find(id)),

    /** Changes the given fields. A new text needs a new embedding. */
    update: async (scope: OwnerScope, id: string, { embedding, ...changes }: DocumentChanges, versions: Versions) => {
      const columns = { ...changes, ...(embedding && { embedding: toVector(embedding, '/embedding') }) };
      const isEmpty = Object.keys(columns).length === 0;
      const owned = database.as(scope);
      const hasNewText = !embedding && (changes.title !== undefined || changes.content !== undefined);
      if (!embeddingJob || !hasNewText) return owned.effect(change);
      const updated = await owned.transaction(async (repositories) => {
        const document = await change(repositories);
        await embeddingJob.enqueue(repositories, embeddingJobsFor([id], scope));
        return document;
      });
      embeddingJob.wake();
      return updated;

      async function change({ documents }: SharedRepositories) {
        const document = await (isEmpty ? documents.find(id, versions) : documents.update(id, columns, versions));
        return requireRow(versions, document, () => documents.find(id));
      }
    },

    delete: async (scope: OwnerScope, id: string, versions: Versions) =>
      database.as(scope).effect(async ({ documents }) => {
        const isDeleted = await documents.delete(id, versions);
        if (!isDeleted) await requireRow(versions, undefined, () => documents.find(id));
      }),

    search: async (scope: OwnerScope, search: DocumentSearch) => {
      const { limit = limitDefault, metadata = {} } = search;
      const request = { ...(await interpretSearch(search, embedder)), metadata, limit };
      const { userId } = scope.actor;
      const caller = { account: userId, address: userId };
      const run = () =>
        database.replica
          .as(scope)
          .transaction(({ documents }) => documents.search(request), { statementMsMax: searchMsMax });
      const items = await turns.take(run, caller).catch((error) => {
        throw searchError(error);
      });
      return { items };
    },
  };

  async function insert<T>(
    scope: OwnerScope,
    rows: ReturnType<typeof rowsOf>,
    resultOf: (created: Awaited<ReturnType<SharedRepositories['documents']['create']>>) => T,
  ): Promise<T> {
    const waiting = rows.filter(({ embedding }) => embedding === null).map(({ id }) => id);
    const jobs = embeddingJob?.jobsFor(embeddingJobsFor(waiting, scope));
    const result = await database
      .as(scope)
      .effect(async ({ documents }) => resultOf(await documents.create(rows, jobs)));
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

const ownerIdOf = ({ owner }: OwnerScope) => owner.userId ?? owner.organizationId;

export type Documents = ReturnType<typeof createDocuments>;
