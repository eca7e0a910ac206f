import { type Static, Type } from '@fastify/type-provider-typebox';
import { embeddingWidth } from '@quoin/db';
import { pageOf, pageQuery } from '../http/page.ts';
import { changesOf, closed, Id, oneOf, Timestamp } from '../http/schema.ts';

const metadata = Type.Unsafe<Record<string, unknown>>({
  type: 'object',
  additionalProperties: true,
  'x-bytes-max': 16_384,
  'x-values-max': 1_000,
  description: "The product's own: any JSON object of at most 16 KiB and 1,000 values. Searches filter by containment.",
  examples: [{ project: 'wall', year: 2026 }],
});

const embedding = Type.Array(Type.Number(), {
  minItems: embeddingWidth,
  maxItems: embeddingWidth,
  description: `What it means, as a vector of ${embeddingWidth} numbers that are not all zero; its length does not matter.`,
});

const text = {
  title: Type.String({
    minLength: 1,
    maxLength: 200,
    pattern: '\\S',
    description: 'What it is called. Not blank; kept as it is.',
    examples: ['On cornerstones'],
  }),
  content: Type.String({
    minLength: 1,
    maxLength: 100_000,
    description: 'The text itself; kept as it is.',
    examples: ['A quoin is the stone at the corner of a wall.'],
  }),
};

export const Document = closed(
  {
    id: Id('The document.'),
    user_id: Id('Whose it is.'),
    ...text,
    metadata,
    has_embedding: Type.Boolean({ description: 'Whether it can be found by its meaning yet.', examples: [true] }),
    created_at: Timestamp('When it was made.'),
    updated_at: Timestamp('When it was last changed.'),
  },
  { title: 'Document' },
);

export const DocumentPage = pageOf('DocumentPage', Document);
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

export const DocumentList = closed({ items: Type.Array(Document) }, { title: 'DocumentList' });

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
        description: 'What to look for, in words. Quotes keep words together, `-` excludes one, `or` allows either.',
      }),
    ),
    embedding: Type.Optional(embedding),
    mode: Type.Optional(
      oneOf(['semantic', 'keyword', 'hybrid'], {
        description:
          'By meaning, by words, or both. By default as much as is possible: words need a `query`, meaning an `embedding` or a service that embeds the query.',
      }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 10, description: 'Items at most.' })),
    metadata: Type.Optional(metadata),
  },
  { title: 'DocumentSearch', examples: [{ query: 'corner of a wall', limit: 5 }] },
);
export type DocumentSearch = Static<typeof DocumentSearch>;

export const SearchResults = closed(
  {
    items: Type.Array(
      closed(
        {
          document: Document,
          score: Type.Number({
            description:
              'The higher the better, within one answer. By meaning the cosine similarity, by words the cover density, for both the fusion of the ranks.',
            examples: [0.83],
          }),
        },
        { title: 'SearchResult' },
      ),
    ),
  },
  { title: 'SearchResults' },
);

const owner = {
  user_id: Type.Union([Type.Literal('me'), Type.String({ format: 'uuid' })], {
    description: '`me`, your own id, or for an admin anybody’s.',
    examples: ['me'],
  }),
};

export const OwnerParams = closed(owner);
export const DocumentParams = closed({ ...owner, document_id: Id('The document.') });
