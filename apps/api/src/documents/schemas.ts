import { type Static, type TSchema, Type } from '@fastify/type-provider-typebox';
import { embeddingWidth } from '@quoin/db';
import { pageOf, pageQuery } from '../http/page.ts';
import { changesOf, closed, Id, OrganizationParams, OwnerId, oneOf, Timestamp } from '../http/schema.ts';

const metadata = Type.Unsafe<Record<string, unknown>>({
  type: 'object',
  additionalProperties: true,
  'x-bytes-max': 16_384,
  'x-values-max': 1_000,
  description: 'A JSON object of at most 16 KiB and 1,000 values. Searches filter by containment.',
  examples: [{ project: 'wall', year: 2026 }],
});

const embedding = Type.Array(Type.Number(), {
  minItems: embeddingWidth,
  maxItems: embeddingWidth,
  description: `Embedding of the text: ${embeddingWidth} numbers, not all zero. Its length does not matter.`,
});

const text = {
  title: Type.String({
    minLength: 1,
    maxLength: 200,
    pattern: '\\S',
    description: 'Title; not blank.',
    examples: ['On cornerstones'],
  }),
  content: Type.String({
    minLength: 1,
    maxLength: 100_000,
    description: 'The text.',
    examples: ['A quoin is the stone at the corner of a wall.'],
  }),
};

const documentOf = (owner: { user_id: TSchema } | { organization_id: TSchema }, title: string) =>
  closed(
    {
      id: Id('Id of the document.'),
      ...(owner as { user_id: ReturnType<typeof Id> }),
      ...text,
      metadata,
      has_embedding: Type.Boolean({ description: 'Whether semantic search finds the document.', examples: [true] }),
      created_at: Timestamp('When the document was created.'),
      updated_at: Timestamp('When the document was last changed.'),
    },
    { title },
  );

/** The responses about documents of one kind of owner. */
const responsesOf = (prefix: string, Document: ReturnType<typeof documentOf>) => ({
  Document,
  DocumentPage: pageOf(`${prefix}DocumentPage`, Document),
  DocumentList: closed({ items: Type.Array(Document) }, { title: `${prefix}DocumentList` }),
  SearchResults: searchResultsOf(prefix, Document),
});

export const userDocuments = responsesOf('', documentOf({ user_id: Id('Id of the owner.') }, 'Document'));
/** As far as TypeScript knows, they are those of users: one property has another name. */
export const organizationDocuments = responsesOf(
  'Organization',
  documentOf({ organization_id: Id('Id of the organization.') }, 'OrganizationDocument'),
);

export const DocumentQuery = closed(pageQuery);
export type DocumentQuery = Static<typeof DocumentQuery>;

const example = { title: 'On cornerstones', content: 'A quoin is the stone at the corner of a wall.' };

export const NewDocument = closed(
  { ...text, metadata: Type.Optional(metadata), embedding: Type.Optional(embedding) },
  { title: 'NewDocument', examples: [{ ...example, metadata: { project: 'wall' } }] },
);
export type NewDocument = Static<typeof NewDocument>;

const batchMax = 500;
export const NewDocuments = closed(
  { items: Type.Array(NewDocument, { minItems: 1, maxItems: batchMax }) },
  { title: 'NewDocuments', examples: [{ items: [example] }] },
);

export const DocumentChanges = changesOf(
  { ...text, metadata, embedding },
  { title: 'DocumentChanges', examples: [{ metadata: { project: 'arch' } }] },
);
export type DocumentChanges = Static<typeof DocumentChanges>;

export const DocumentSearch = closed(
  {
    query: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 10_000,
        description: 'Words to search for. Quotes match a phrase, `-` excludes a word, `or` matches either side.',
      }),
    ),
    embedding: Type.Optional(embedding),
    mode: Type.Optional(
      oneOf(['semantic', 'keyword', 'hybrid'], {
        description:
          'Search by meaning, by words, or both. Default: both if possible. Words need a `query`; meaning needs an `embedding` or an embedding service.',
      }),
    ),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100, default: 10, description: 'Maximum number of items.' }),
    ),
    metadata: Type.Optional(metadata),
  },
  { title: 'DocumentSearch', examples: [{ query: 'corner of a wall', limit: 5 }] },
);
export type DocumentSearch = Static<typeof DocumentSearch>;

function searchResultsOf(prefix: string, Document: ReturnType<typeof documentOf>) {
  const score = Type.Number({
    description:
      'Higher is better, within one response. Semantic: cosine similarity. Keyword: cover density. Hybrid: fused ranks.',
    examples: [0.83],
  });
  return closed(
    { items: Type.Array(closed({ document: Document, score }, { title: `${prefix}SearchResult` })) },
    { title: `${prefix}SearchResults` },
  );
}

const document_id = Id('Id of the document.');
export const DocumentParams = closed({ user_id: OwnerId, document_id });
export const OrganizationDocumentParams = closed({ ...OrganizationParams.properties, document_id });
