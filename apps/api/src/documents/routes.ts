import { Type } from '@fastify/type-provider-typebox';
import { ownerScope } from '../auth/owner.ts';
import { batchBodyBytesMax } from '../http/body.ts';
import type { ProblemCode } from '../http/errors.ts';
import { type App, OrganizationParams, OwnerParams } from '../http/schema.ts';
import {
  DocumentChanges,
  DocumentParams,
  DocumentQuery,
  DocumentSearch,
  NewDocument,
  NewDocuments,
  OrganizationDocumentParams,
  organizationDocuments,
  userDocuments,
} from './schemas.ts';
import type { Documents } from './service.ts';

/** Where documents live: under their user, or under their organization. */
const ofUser = {
  collection: '/users/:user_id/documents',
  params: OwnerParams,
  itemParams: DocumentParams,
  responses: userDocuments,
  refusals: ['forbidden'] as ProblemCode[],
  others: 'other users',
  /** Returns an `operationId`. */
  operation: (verb: string, noun: string) => `${verb}${noun}`,
  location: (params: { user_id: string }) => `/users/${params.user_id}/documents`,
};
type Placement = typeof ofUser;
const ofOrganization = {
  collection: '/organizations/:organization_id/documents',
  params: OrganizationParams,
  itemParams: OrganizationDocumentParams,
  responses: organizationDocuments,
  refusals: [],
  others: 'other organizations',
  operation: (verb: string, noun: string) => `${verb}Organization${noun}`,
  location: (params: { organization_id: string }) => `/organizations/${params.organization_id}/documents`,
} as unknown as Placement;

export function documentRoutes(app: App, { documents }: { documents: Documents }): void {
  for (const placement of [ofUser, ofOrganization]) {
    collectionRoutes(app, documents, placement);
    batchRoute(app, documents, placement);
    searchRoute(app, documents, placement);
    itemRoutes(app, documents, placement);
  }
}

function collectionRoutes(app: App, documents: Documents, placement: Placement): void {
  const { collection, params, responses, refusals, operation, location } = placement;
  app.get(
    collection,
    {
      schema: {
        operationId: operation('list', 'Documents'),
        tags: ['documents'],
        summary: 'List documents, newest first',
        description:
          'A page ends early when its contents reach 2 MiB; follow `next_cursor`. With `skip`, add the number of items received.',
        params,
        querystring: DocumentQuery,
        response: { 200: responses.DocumentPage },
      },
      config: {
        requiredScope: 'documents:read',
        problems: refusals,
        concurrency: { name: 'document lists', perUser: 4 },
      },
    },
    async ({ scope, params, query }) => documents.list(ownerScope(scope, params), query),
  );

  app.post(
    collection,
    {
      schema: {
        operationId: operation('create', 'Document'),
        tags: ['documents'],
        summary: 'Create a document',
        description:
          'Without an `embedding`, the server computes one in the background if an embedding service is configured. Until then, keyword search finds the document.',
        params,
        body: NewDocument,
        response: { 201: responses.Document },
      },
      config: {
        requiredScope: 'documents:write',
        problems: [...refusals, 'not_found'],
        location: ({ id, ...owner }: { id: string; user_id: string }) => `${location(owner)}/${id}`,
      },
    },
    async ({ scope, params, body }) => documents.create(ownerScope(scope, params), body),
  );
}

function batchRoute(app: App, documents: Documents, placement: Placement): void {
  const { collection, params, responses, refusals, operation, location } = placement;
  app.post(
    `${collection}/batch`,
    {
      bodyLimit: batchBodyBytesMax,
      schema: {
        operationId: operation('create', 'Documents'),
        tags: ['documents'],
        summary: 'Create up to 500 documents',
        description: 'Creates all documents or none, and returns them in the order of the request. At most 16 MiB.',
        params,
        body: NewDocuments,
        response: { 201: responses.DocumentList },
      },
      config: {
        requiredScope: 'documents:write',
        problems: [...refusals, 'not_found'],
        concurrency: { name: 'document batches', perUser: 2 },
        location: ({ items: [first] }: { items: { user_id: string }[] }) => (first ? location(first) : ''),
      },
    },
    async ({ scope, params, body }) => documents.createMany(ownerScope(scope, params), body.items),
  );
}

function searchRoute(app: App, documents: Documents, placement: Placement): void {
  const { collection, params, responses, refusals, operation } = placement;
  app.post(
    `${collection}/search`,
    {
      schema: {
        operationId: operation('search', 'Documents'),
        tags: ['documents'],
        summary: 'Search documents by words, by meaning, or both',
        description:
          'With `query` it searches for words, with `embedding` by meaning, and with both it combines the two results.',
        params,
        body: DocumentSearch,
        response: { 200: responses.SearchResults },
      },
      config: {
        requiredScope: 'documents:read',
        problems: [...refusals, 'query_too_expensive', 'embedding_unavailable'],
        concurrency: { name: 'search', perUser: 2 },
        isReadOnly: true,
      },
    },
    async ({ scope, params, body }) => documents.search(ownerScope(scope, params), body),
  );
}

function itemRoutes(app: App, documents: Documents, placement: Placement): void {
  const { collection, itemParams, responses, refusals, others, operation } = placement;
  const item = `${collection}/:document_id`;
  app.get(
    item,
    {
      schema: {
        operationId: operation('get', 'Document'),
        tags: ['documents'],
        summary: 'Get a document',
        description: `With its whole text. Answers 404 for documents of ${others}.`,
        params: itemParams,
        response: { 200: responses.Document },
      },
      config: { requiredScope: 'documents:read', isVersioned: true, problems: [...refusals, 'not_found'] },
    },
    async ({ scope, params }) => documents.get(ownerScope(scope, params), params.document_id),
  );

  app.patch(
    item,
    {
      schema: {
        operationId: operation('update', 'Document'),
        tags: ['documents'],
        summary: 'Update a document',
        description:
          'Changes the fields that are sent. A new text without an `embedding` drops the old embedding; the server computes a new one as for a new document.',
        params: itemParams,
        body: DocumentChanges,
        response: { 200: responses.Document },
      },
      config: { requiredScope: 'documents:write', isVersioned: true, problems: [...refusals, 'not_found'] },
    },
    async ({ scope, params, body, versions }) =>
      documents.update(ownerScope(scope, params), params.document_id, body, versions),
  );

  app.delete(
    item,
    {
      schema: {
        operationId: operation('delete', 'Document'),
        tags: ['documents'],
        summary: 'Delete a document',
        description: 'Deletes it for good, with its embedding.',
        params: itemParams,
        response: { 204: Type.Null({ description: 'Deleted.' }) },
      },
      config: { requiredScope: 'documents:write', isVersioned: true, problems: [...refusals, 'not_found'] },
    },
    async ({ scope, params, versions }) => documents.delete(ownerScope(scope, params), params.document_id, versions),
  );
}
