import { hash } from 'node:crypto';
import { type TSchema, Type } from '@fastify/type-provider-typebox';
import type { PageRequest, Transactions } from '@quoin/db';
import { Problem } from './errors.ts';
import { closed, nullable } from './schema.ts';
import { bytesOf, idBytes, uuidOf } from './uuid-bytes.ts';

// Keyset pagination (docs/decisions/003): a cursor contains the id of the last row of a page. Insertions and deletions do not shift pages, and page
// 10,000 costs as much as page 1. A cursor is only a position: filters and row level security decide which rows a page contains.

export const limitDefault = 50;
const limitMax = 200;
const checksumBytes = 4;

/** Milliseconds that the database may take for a filter by text: 5,000 rows can have 50 MB. */
const textFilterMsMax = 2_000;

/** Runs a list. If it filters by text, the database ends it after two seconds (`query_too_expensive`). */
export const listByText = <Repositories, T>(
  own: Repositories & Transactions<Repositories>,
  text: string | undefined,
  list: (repositories: Repositories) => Promise<T>,
): Promise<T> => (text === undefined ? list(own) : own.transaction(list, { statementMsMax: textFilterMsMax }));

/** Milliseconds that the database may take for a list of all accounts' rows. */
export const adminListMsMax = 2_000;

/** The query parameters of a list. Spread them beside its filters. */
export const pageQuery = {
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: limitMax, default: limitDefault, description: 'Maximum number of items.' }),
  ),
  cursor: Type.Optional(
    Type.String({ minLength: 1, maxLength: 200, description: '`next_cursor` of the previous page.' }),
  ),
  skip: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 10_000,
      description:
        'Number of items to skip, at most 10,000, because skipped items are read. Use `cursor` to go further; the two cannot be combined.',
    }),
  ),
};

/** Describes a list with filters. */
export const scannedDescription =
  'A filter looks at 5,000 items per page, so a page can have fewer items than `limit`, or none, and a `next_cursor`. `skip` counts matches among them.';

/** Returns the schema of a page of items. */
export const pageOf = <T extends TSchema>(name: string, item: T) =>
  closed(
    {
      items: Type.Array(item),
      next_cursor: nullable(
        Type.String({
          description: 'Cursor of the next page; null on the last page.',
          examples: ['AZng9XwecXs6mlMPXOmhwtTqxX0'],
        }),
      ),
    },
    { title: name },
  );

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/**
 * Returns the page that a query asks for.
 *
 * @param list the name of the list; cursors of other lists are rejected
 * @throws Problem `validation_failed` for a malformed or foreign cursor, and for `cursor` together with `skip`
 */
export function pageRequest(
  list: string,
  { limit = limitDefault, cursor, skip }: { limit?: number; cursor?: string; skip?: number },
): PageRequest {
  if (cursor !== undefined && skip !== undefined) throw invalidQuery('/skip', 'cannot be combined with cursor');
  return { limit, skip: skip || undefined, after: cursor === undefined ? undefined : readCursor(list, cursor) };
}

/**
 * Returns the page of the rows that the repository found.
 *
 * @param hasMore whether another page follows; by default if there is one row more than `limit`
 * @param scannedTo the id after which a filter stopped looking; the next page continues there, even if this one is not full
 */
export function pageFrom<Row extends { id: string }>(
  list: string,
  rows: Row[],
  { limit }: PageRequest,
  { hasMore = rows.length > limit, scannedTo }: { hasMore?: boolean; scannedTo?: string | undefined } = {},
): Page<Row> {
  const items = rows.slice(0, limit);
  const last = scannedTo ?? (hasMore ? items.at(-1)?.id : undefined);
  return { items, next_cursor: last === undefined ? null : cursorAfter(list, last) };
}

/** Recognizes cursors of other lists and truncated ones. */
const checksum = (list: string, id: Buffer) =>
  hash('sha256', Buffer.concat([Buffer.from(list), id]), 'buffer').subarray(0, checksumBytes);

function cursorAfter(list: string, id: string): string {
  const bytes = bytesOf(id);
  return Buffer.concat([bytes, checksum(list, bytes)]).toString('base64url');
}

function readCursor(list: string, cursor: string): string {
  const bytes = Buffer.from(cursor, 'base64url');
  const id = bytes.subarray(0, idBytes);
  const isValid =
    bytes.length === idBytes + checksumBytes &&
    bytes.toString('base64url') === cursor &&
    bytes.subarray(idBytes).equals(checksum(list, id));
  if (!isValid) throw invalidQuery('/cursor', 'is not a cursor of this list');
  return uuidOf(id);
}

export function invalidQuery(pointer: string, message: string) {
  return new Problem('validation_failed', `query ${pointer} ${message}`, {
    errors: [{ in: 'query', pointer, message }],
  });
}
