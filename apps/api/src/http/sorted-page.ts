import { hash } from 'node:crypto';
import { Type } from '@fastify/type-provider-typebox';
import type { Position, Sort, SortedPageRequest } from '@quoin/db';
import { invalidQuery, limitDefault, type Page, pageQuery } from './page.ts';
import { oneOf } from './schema.ts';
import { bytesOf, idBytes, uuidOf } from './uuid-bytes.ts';

// Lists in an order that the request chooses. A cursor also contains the value of the column, so that deleting the last row of a page shifts nothing.

const checksumBytes = 4;
const nullMark = 0;
const valueMark = 1;

/** Fields that a list can be sorted by, with their types in PostgreSQL, without a length. */
export type Sorts = Record<string, { type: string; isNullable?: boolean }>;

/** Returns the query parameters of a list that can be sorted by these fields. */
export const sortedPageQuery = <const Name extends string>(names: readonly Name[]) => ({
  ...pageQuery,
  cursor: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 2_000,
      description: '`next_cursor` of the previous page, in the same order.',
    }),
  ),
  sort: Type.Optional(
    oneOf(
      names.flatMap((name) => [name, `-${name}`] as const),
      { description: 'Order: by this field, with `-` from high to low. Without it, newest first.' },
    ),
  ),
});

/**
 * Returns the page that a query asks for.
 *
 * @param list the name of the list; cursors of other lists, and of other orders of it, are rejected
 * @param sorts the fields that it can be sorted by
 * @throws Problem `validation_failed` for a malformed or foreign cursor, and for `cursor` together with `skip`
 */
export function sortedPageRequest(
  list: string,
  query: { limit?: number; cursor?: string; skip?: number; sort?: string },
  sorts: Sorts,
): SortedPageRequest {
  const { limit = limitDefault, cursor, skip } = query;
  if (cursor !== undefined && skip !== undefined) throw invalidQuery('/skip', 'cannot be combined with cursor');
  const sort = readSort(query.sort, sorts);
  return {
    limit,
    skip: skip || undefined,
    sort,
    after: cursor === undefined ? undefined : readCursor(nameOf(list, sort), cursor),
  };
}

function readSort(text: string | undefined, sorts: Sorts): Sort | undefined {
  const column = text?.replace(/^-/, '') ?? '';
  const { type, isNullable = false } = sorts[column] ?? {};
  return type === undefined ? undefined : { column, type, isNullable, isDescending: text?.startsWith('-') ?? false };
}

/**
 * Returns the page of the rows that the repository found.
 *
 * @param scannedTo where a filter stopped looking; the next page continues there, even if this one is not full
 */
export function sortedPageFrom<Row extends Position>(
  list: string,
  rows: Row[],
  { limit, sort }: SortedPageRequest,
  { scannedTo }: { scannedTo?: Position | undefined } = {},
): Page<Row> {
  const items = rows.slice(0, limit);
  const last = scannedTo ?? (rows.length > limit ? items.at(-1) : undefined);
  return { items, next_cursor: last === undefined ? null : cursorAfter(nameOf(list, sort), last) };
}

const nameOf = (list: string, sort: Sort | undefined) =>
  sort ? `${list} by ${sort.isDescending ? '-' : ''}${sort.column}` : list;

const checksum = (list: string, position: Buffer) =>
  hash('sha256', Buffer.concat([Buffer.from(list), position]), 'buffer').subarray(0, checksumBytes);

function cursorAfter(list: string, { id, sort_value: value }: Position): string {
  const mark = Buffer.from([value === null ? nullMark : valueMark]);
  const position = Buffer.concat([bytesOf(id), mark, Buffer.from(value ?? '')]);
  return Buffer.concat([checksum(list, position), position]).toString('base64url');
}

function readCursor(list: string, cursor: string): Position {
  const bytes = Buffer.from(cursor, 'base64url');
  const position = bytes.subarray(checksumBytes);
  const isValid =
    position.length > idBytes &&
    bytes.toString('base64url') === cursor &&
    bytes.subarray(0, checksumBytes).equals(checksum(list, position));
  if (!isValid) throw invalidQuery('/cursor', 'is not a cursor of this list in this order');
  return {
    id: uuidOf(position.subarray(0, idBytes)),
    sort_value: position[idBytes] === nullMark ? null : position.subarray(idBytes + 1).toString(),
  };
}
