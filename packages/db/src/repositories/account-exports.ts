import { type RawBuilder, sql } from 'kysely';
import type { Context, OwnerContext } from './context.ts';
import { ownedTables } from './owned-tables.ts';

/** One try of the job to make an archive. */
export interface ExportAttempt {
  userId: string;
  exportId: string;
  attemptId: string;
}

/** A table whose rows are exported: its columns, and those of its primary key. */
interface ExportedTable {
  name: string;
  owner: string;
  columns: string[];
  key: { name: string; type: string }[];
}

const rowsPerPart = 500;
/** A part ends with the row that reaches this size, so that a part of large rows fits into memory. */
const bytesPerPart = 1_000_000;

/** Archives of the rows of users, for the job that makes them. */
export const accountExports = ({ db }: Context) => ({
  /** Returns the tables with rows of users, by the catalogue, so that a new table is among them without code. Leaves out columns whose comment says so, and the archives themselves. */
  tables: async (): Promise<ExportedTable[]> => {
    const { rows } = await sql<ExportedTable>`
      select c.relname as name, o.column as owner,
        array(select a.attname::text from pg_attribute a
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and coalesce(col_description(c.oid, a.attnum), '') not like '%Left out of exports.'
          order by a.attnum) as columns,
        (select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) order by array_position(i.indkey::int2[], a.attnum))
          from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
          where i.indrelid = c.oid and i.indisprimary) as key
      from (${ownedTables}) o join pg_class c on c.oid = o.table
      where c.relname <> 'account_export_parts'
      order by c.relname <> 'users', c.relname`.execute(db);
    return rows;
  },

  /**
   * Copies the next rows of a table into a part of the archive.
   *
   * @param after the key of the last row before them; undefined at the start
   * @returns the key of the last row; undefined if there are no more rows
   */
  addPart: async (
    { userId, exportId, attemptId }: ExportAttempt,
    number: number,
    { name, owner, columns, key }: ExportedTable,
    after: readonly string[] | undefined,
  ): Promise<string[] | undefined> => {
    const keyColumns = sql.join(key.map((column) => sql.ref(column.name)));
    const keyTexts = sql.join(key.map((column) => sql`${sql.ref(column.name)}::text`));
    const last = after && sql.join(key.map(({ type }, index) => sql`${after[index]}::text::${sql.raw(type)}`));
    const { rows } = await sql<{ last: string[] }>`
      with page as (
        select ${sql.join(columns.map((column) => sql.ref(column)))}, array[${keyTexts}] as page_key,
          row_number() over (order by ${keyColumns}) as page_row
        from ${sql.table(name)} where ${sql.ref(owner)} = ${userId} ${last ? sql`and (${keyColumns}) > (${last})` : sql``}
        order by ${keyColumns} limit ${rowsPerPart}
      ), texts as (
        select page_key, page_row, (${exportedRow(name)})::text as text from page
      ), sized as (
        select *, coalesce(sum(octet_length(text)) over (order by page_row rows between unbounded preceding and 1 preceding), 0) as bytes_before from texts
      ), part as (
        select * from sized where bytes_before < ${bytesPerPart}
      ), added as (
        insert into account_export_parts (user_id, export_id, attempt_id, number, table_name, content)
        select ${userId}, ${exportId}, ${attemptId}, ${number}, ${name}, string_agg(text, ',' order by page_row) from part having count(*) > 0
      )
      select page_key as last from part order by page_row desc limit 1`.execute(db);
    return rows[0]?.last;
  },

  /** Makes the parts of an attempt the archive, unless another attempt was first, and deletes those of others. Resolves to whether it did. */
  complete: async (
    { userId, exportId, attemptId }: ExportAttempt,
    parts: number,
    completed_at: Date,
  ): Promise<boolean> => {
    const { numUpdatedRows } = await db
      .updateTable('account_exports')
      .set({ completed_at, attempt_id: attemptId, parts })
      .where('user_id', '=', userId)
      .where('id', '=', exportId)
      .where('completed_at', 'is', null)
      .executeTakeFirstOrThrow();
    await db
      .deleteFrom('account_export_parts')
      .where('user_id', '=', userId)
      .where('export_id', '=', exportId)
      .where('attempt_id', numUpdatedRows > 0n ? '<>' : '=', attemptId)
      .execute();
    return numUpdatedRows > 0n;
  },

  /** Resolves to whether an archive waits for an attempt. */
  isPending: async (userId: string, id: string): Promise<boolean> => {
    const row = await db
      .selectFrom('account_exports')
      .select('id')
      .where('user_id', '=', userId)
      .where('id', '=', id)
      .where('completed_at', 'is', null)
      .executeTakeFirst();
    return row !== undefined;
  },

  /** Deletes at most `limit` archives that have expired. Resolves to their number. */
  deleteExpired: async (now: Date, limit: number): Promise<number> => {
    const expired = await db
      .selectFrom('account_exports')
      .select(['user_id', 'id'])
      .where('expires_at', '<', now)
      .limit(limit)
      .execute();
    for (const { user_id, id } of expired) {
      await db.deleteFrom('account_export_parts').where('user_id', '=', user_id).where('export_id', '=', id).execute();
      await db.deleteFrom('account_exports').where('user_id', '=', user_id).where('id', '=', id).execute();
    }
    return expired.length;
  },
});

/** A row without the columns that only order the page. Where somebody else acted from, for example an admin, is not data of the user. */
function exportedRow(table: string): RawBuilder<unknown> {
  const row = sql`to_jsonb(page) - '{page_key,page_row}'::text[]`;
  if (table !== 'audit_events') return row;
  const place = sql`'{session_id,ip_address,user_agent,request_id,client_request_id}'::text[]`;
  return sql`case when actor_id is null or actor_id = user_id then ${row} else ${row} - ${place} end`;
}

/** The archives of the owner. */
export const ownExports = ({ db, scope }: OwnerContext) => {
  const { userId } = scope.owner;
  return {
    create: (row: { id: string; created_at: Date; expires_at: Date }) =>
      db
        .insertInto('account_exports')
        .values({ user_id: userId, ...row })
        .execute(),

    find: (id: string, now: Date) =>
      db
        .selectFrom('account_exports')
        .select(['id', 'created_at', 'completed_at', 'attempt_id', 'parts', 'expires_at'])
        .where('user_id', '=', userId)
        .where('id', '=', id)
        .where('expires_at', '>', now)
        .executeTakeFirst(),

    /** Returns a part of an archive. */
    findPart: (exportId: string, attemptId: string, number: number) =>
      db
        .selectFrom('account_export_parts')
        .select(['table_name', 'content'])
        .where('user_id', '=', userId)
        .where('export_id', '=', exportId)
        .where('attempt_id', '=', attemptId)
        .where('number', '=', number)
        .executeTakeFirst(),
  };
};
