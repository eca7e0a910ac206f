import { type RawBuilder, type SelectQueryBuilder, sql } from 'kysely';

export interface PageRequest {
  /** Rows at most. */
  limit: number;
  /** The last id of the page before. Ids are UUIDs of version 7, so theirs is the order in which rows were made. */
  after?: string | undefined;
  /** Rows to pass over: costs as much as reading them. */
  skip?: number | undefined;
}

/** Newest first, `limit` rows and one more, from which the caller sees whether another page follows. */
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

/** Whether the column is like the pattern, in any case. */
export const isLike = (column: string, pattern: string): RawBuilder<boolean> =>
  sql<boolean>`${sql.ref(column)} ilike ${pattern}`;

/** What contains the text, in which `%`, `_` and `\` mean themselves, is like this. */
export const containing = (text: string): string => `%${text.replace(/[\\%_]/g, '\\$&')}%`;

/** The moment in a UUID of version 7 (RFC 9562, 5.7), to the millisecond. */
export const timeOfId = (id: string): Date => new Date(Number.parseInt(id.replace('-', '').slice(0, 12), 16));

/** The lowest id that could have been made at this moment. */
export function firstIdAt(moment: Date): string {
  const time = Math.max(0, moment.getTime()).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-0000-0000-000000000000`;
}
