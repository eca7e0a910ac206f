import { type Expression, type ExpressionBuilder, type SelectQueryBuilder, type SqlBool, sql } from 'kysely';
import { type PageRequest, scannedMax } from './page.ts';

// Lists in an order that the request chooses. Without a choice: newest first.

/** An order of a list: by a column, and then by id. Null comes after all other values. */
export interface Sort {
  column: string;
  /** Type of the column in PostgreSQL, without its length. */
  type: string;
  isNullable: boolean;
  isDescending: boolean;
}

/** Where a row is in a list. */
export interface Position {
  id: string;
  /** Value of the column as a text, exactly as PostgreSQL prints it. JavaScript would round some. */
  sort_value: string | null;
}

export interface SortedPageRequest extends Omit<PageRequest, 'after'> {
  sort?: Sort | undefined;
  /** The last row of the previous page. */
  after?: Position | undefined;
}

/** Selects the value that positions contain. */
export const sortValue = (sort: Sort | undefined) =>
  (sort ? sql<string | null>`${sql.ref(sort.column)}::text` : sql<string | null>`null::text`).as('sort_value');

/** Returns `limit` rows and one more in the order of the request. */
export const sortedPage = <DB, TB extends keyof DB, O>(
  query: SelectQueryBuilder<DB, TB, O>,
  { limit, skip, ...place }: SortedPageRequest,
): SelectQueryBuilder<DB, TB, O> => {
  const page = sorted(query, place).limit(sql<number>`${limit}::bigint + 1`);
  return skip === undefined ? page : page.offset(skip);
};

/** Returns the last of the rows that a filter looks at for one page. */
export const lastScanned = <DB, TB extends keyof DB, O>(
  query: SelectQueryBuilder<DB, TB, O>,
  place: Pick<SortedPageRequest, 'sort' | 'after'>,
): SelectQueryBuilder<DB, TB, O> =>
  sorted(query, place)
    .offset(scannedMax - 1)
    .limit(1);

/** Whether a row comes before a position, or is there. */
export const isUpTo =
  ({ sort }: Pick<SortedPageRequest, 'sort'>, last: Position) =>
  <DB, TB extends keyof DB>(eb: ExpressionBuilder<DB, TB>): Expression<SqlBool> =>
    eb.not(isAfter(sort, last));

function sorted<DB, TB extends keyof DB, O>(
  query: SelectQueryBuilder<DB, TB, O>,
  { sort, after }: Pick<SortedPageRequest, 'sort' | 'after'>,
): SelectQueryBuilder<DB, TB, O> {
  const direction = sort?.isDescending === false ? 'asc' : 'desc';
  let page = query;
  if (sort) page = page.orderBy(sql.ref(sort.column), direction);
  page = page.orderBy(sql.ref('id'), direction);
  return after === undefined ? page : page.where(isAfter(sort, after));
}

/** Never null, so that its opposite is not either. Without null values, it is a condition that an index answers. */
function isAfter(sort: Sort | undefined, { id, sort_value: text }: Position) {
  if (!sort) return sql<SqlBool>`id < ${id}::uuid`;
  const column = sql.ref(sort.column);
  const value = sql`${text}::text::${sql.raw(sort.type)}`;
  const isBeyond = sql<SqlBool>`(${column}, id) ${sql.raw(sort.isDescending ? '<' : '>')} (${value}, ${id}::uuid)`;
  if (!sort.isNullable) return isBeyond;
  if (sort.isDescending)
    return text === null
      ? sql<SqlBool>`(${column} is not null or id < ${id}::uuid)`
      : sql<SqlBool>`(${column} is not null and ${isBeyond})`;
  return text === null
    ? sql<SqlBool>`(${column} is null and id > ${id}::uuid)`
    : sql<SqlBool>`(${column} is null or ${isBeyond})`;
}
