import { type Static, Type } from '@fastify/type-provider-typebox';
import { batchBodyBytesMax } from '../http/body.ts';
import { type App, OwnerParams } from '../http/schema.ts';
import {
  Document,
  DocumentChanges,
  DocumentList,
  DocumentPage,
  DocumentParams,
  DocumentQuery,
  DocumentSearch,
  NewDocument,
  NewDocuments,
  SearchResults,
} from './schemas.ts';
import type { Documents } from './service.ts';

const collection = '/users/:user_id/documents';
const item = `${collection}/:document_id`;

export function documentRoutes(app: App, { documents }: { documents: Documents }): void {
  collectionRoutes(app, { documents });
  batchRoute(app, { documents });
  searchRoute(app, { documents });
  itemRoutes(app, { documents });
}

function collectionRoutes(app: App, { documents }: { documents: Documents }): void {
  app.get(
    collection,
    {
      schema: {
        operationId: 'listDocuments',
        tags: ['documents'],
        summary: 'List documents, newest first',
        description:
          'A page ends early when its contents reach 2 MiB; follow `next_cursor`. With `skip`, add the number of items received.',
        params: OwnerParams,
        querystring: DocumentQuery,
        response: { 200: DocumentPage },
      },
      config: {
        requiredScope: 'documents:read',
        problems: ['forbidden'],
        concurrency: { name: 'document lists', perUser: 4 },
      },
    },
    async ({ scope, params, query }) => documents.list(scope, params.user_id, query),
  );

  app.post(
    collection,
    {
      schema: {
        operationId: 'createDocument',
        tags: ['documents'],
        summary: 'Create a document',
        description:
          'Without an `embedding`, the server computes one in the background if an embedding service is configured. Until then, keyword search finds the document.',
        params: OwnerParams,
        body: NewDocument,
        response: { 201: Document },
      },
      config: {
        requiredScope: 'documents:write',
        problems: ['forbidden', 'not_found'],
        location: ({ user_id, id }: Static<typeof Document>) => `/users/${user_id}/documents/${id}`,
      },
    },
    async ({ scope, params, body }) => documents.create(scope, params.user_id, body),
  );
}

function batchRoute(app: App, { documents }: { documents: Documents }): void {
  app.post(
    `${collection}/batch`,
    {
      bodyLimit: batchBodyBytesMax,
      schema: {
        operationId: 'createDocuments',
        tags: ['documents'],
        summary: 'Create up to 500 documents',
        description: 'Creates all documents or none, and returns them in the order of the request. At most 16 MiB.',
        params: OwnerParams,
        body: NewDocuments,
        response: { 201: DocumentList },
      },
      config: {
        requiredScope: 'documents:write',
        problems: ['forbidden', 'not_found'],
        concurrency: { name: 'document batches', perUser: 2 },
        location: ({ items: [first] }: Static<typeof DocumentList>) => `/users/${first?.user_id}/documents`,
      },
    },
    async ({ scope, params, body }) => documents.createMany(scope, params.user_id, body.items),
  );
}

function searchRoute(app: App, { documents }: { documents: Documents }): void {
  app.post(
    `${collection}/search`,
    {
      schema: {
        operationId: 'searchDocuments',
        tags: ['documents'],
        summary: 'Search documents by words, by meaning, or both',
        description:
          'With `query` it searches for words, with `embedding` by meaning, and with both it combines the two results.',
        params: OwnerParams,
        body: DocumentSearch,
        response: { 200: SearchResults },
      },
      config: {
        requiredScope: 'documents:read',
        problems: ['forbidden', 'query_too_expensive', 'embedding_unavailable'],
        concurrency: { name: 'search', perUser: 2 },
        isReadOnly: true,
      },
    },
    async ({ scope, params, body }) => documents.search(scope, params.user_id, body),
  );
}

function itemRoutes(app: App, { documents }: { documents: Documents }): void {
  app.get(
    item,
    {
      schema: {
        operationId: 'getDocument',
        tags: ['documents'],
        summary: 'Get a document',
        description: 'With its whole text. The answer is 404 for documents of other users too.',
        params: DocumentParams,
        response: { 200: Document },
      },
      config: { requiredScope: 'documents:read', isVersioned: true, problems: ['forbidden', 'not_found'] },
    },
    async ({ scope, params }) => documents.get(scope, params.user_id, params.document_id),
  );

  app.patch(
    item,
    {
      schema: {
        operationId: 'updateDocument',
        tags: ['documents'],
        summary: 'Update a document',
        description:
          'Changes the fields that are sent. A new text without an `embedding` drops the old embedding; the server computes a new one as for a new document.',
        params: DocumentParams,
        body: DocumentChanges,
        response: { 200: Document },
      },
      config: { requiredScope: 'documents:write', isVersioned: true, problems: ['forbidden', 'not_found'] },
    },
    async ({ scope, params, body, versions }) =>
      documents.update(scope, params.user_id, params.document_id, body, versions),
  );

  app.delete(
    item,
    {
      schema: {
        operationId: 'deleteDocument',
        tags: ['documents'],
        summary: 'Delete a document',
        description: 'Deletes it for good, with its embedding.',
        params: DocumentParams,
        response: { 204: Type.Null({ description: 'Deleted.' }) },
      },
      config: { requiredScope: 'documents:write', isVersioned: true, problems: ['forbidden', 'not_found'] },
    },
    async ({ scope, params, versions }) => documents.delete(scope, params.user_id, params.document_id, versions),
  );
}
