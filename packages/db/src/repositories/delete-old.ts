import { type Kysely, sql } from 'kysely';
import type { Tables } from '../schema/tables.ts';

interface OldRows<T extends keyof Tables> {
  table: T;
  /** Columns of the primary key. */
  key: readonly (keyof Tables[T] & string)[];
  /** Column with the time that is compared; it has an index. */
  column: keyof Tables[T] & string;
}

/** Deletes at most `limit` rows from before a time, oldest first, except those that another transaction has locked. Resolves to their number. */
export async function deleteOld<T extends keyof Tables>(
  db: Kysely<Tables>,
  { table, key, column }: OldRows<T>,
  before: Date,
  limit: number,
): Promise<number> {
  const columns = sql.join(key.map((one) => sql.ref(one)));
  const { numAffectedRows = 0n } = await sql`
    delete from ${sql.table(table)} where (${columns}) in (
      select ${columns} from ${sql.table(table)} where ${sql.ref(column)} < ${before}
      order by ${sql.ref(column)} limit ${limit} for update skip locked)`.execute(db);
  return Number(numAffectedRows);
}
