import { type RawBuilder, type SelectQueryBuilder, sql } from 'kysely';

export interface PageRequest {
  /** Maximum number of rows. */
  limit: number;
  /** Last id of the previous page. Ids are UUIDs of version 7, so their order is the order of creation. */
  after?: string | undefined;
  /** Number of rows to skip. Costs as much as reading them. */
  skip?: number | undefined;
}

/** Newest first: `limit` rows and one more, which tells the caller that another page follows. */
export function paged<DB, TB extends keyof DB, O>(
  query: SelectQueryBuilder<DB, TB, O>,
  { limit, after, skip }: PageRequest,
): SelectQueryBuilder<DB, TB, O> {
  const id = sql.ref<string>('id');
  let page = query.orderBy(id, 'desc').limit(sql<number>`${limit}::bigint + 1`);
  if (after !== undefined) page = page.where(id, '<', after);
  if (skip !== undefined) page = page.offset(skip);
  return page;
}

/** Rows that a filtered list looks at for one page (docs/decisions/021). */
export const scannedMax = 5_000;

/** The rows that a filtered list looks at, newest first. */
export function scanned<DB, TB extends keyof DB, O>(
  query: SelectQueryBuilder<DB, TB, O>,
  after: string | undefined,
): SelectQueryBuilder<DB, TB, O> {
  const id = sql.ref<string>('id');
  const newest = query.orderBy(id, 'desc').limit(scannedMax);
  return after === undefined ? newest : newest.where(id, '<', after);
}

/** Whether a column contains a text, regardless of case. In one process, takes half the time of `ilike`. */
export const containsText = (column: string, text: string): RawBuilder<boolean> =>
  sql<boolean>`strpos(lower(${sql.ref(column)}), lower(${text}::text)) > 0`;

/** Matches a column against a pattern, regardless of case. */
export const isLike = (column: string, pattern: string): RawBuilder<boolean> =>
  sql<boolean>`${sql.ref(column)} ilike ${pattern}`;

/** Returns the pattern for texts that contain this one. `%`, `_` and `\` have no special meaning in it. */
export const patternOf = (text: string): string => `%${text.replace(/[\\%_]/g, '\\$&')}%`;

/** Returns the time in a UUID of version 7 (RFC 9562, 5.7), in milliseconds. */
export const timeOfId = (id: string): Date => new Date(Number.parseInt(id.replace('-', '').slice(0, 12), 16));

/** Returns the lowest id that can have been created at this time. */
export function firstIdAt(time: Date): string {
  const hex = Math.max(0, time.getTime()).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
