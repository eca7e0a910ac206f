import { type RawBuilder, sql } from 'kysely';
import type { Context, OwnerContext } from './context.ts';
import { ownedTables } from './owned-tables.ts';

/** A table whose rows are exported: its columns, and those of its primary key. */
interface ExportedTable {
  name: string;
  owner: string;
  columns: string[];
  key: { name: string; type: string }[];
}

const rowsPerPart = 500;

/** Archives of the rows of users, for the job that makes them. */
export const accountExports = ({ db }: Context) => ({
  /** Starts again, after an attempt that failed. */
  deleteParts: (userId: string, exportId: string) =>
    db.deleteFrom('account_export_parts').where('user_id', '=', userId).where('export_id', '=', exportId).execute(),

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
    userId: string,
    exportId: string,
    number: number,
    { name, owner, columns, key }: ExportedTable,
    after: readonly string[] | undefined,
  ): Promise<string[] | undefined> => {
    const keyColumns = sql.join(key.map((column) => sql.ref(column.name)));
    const keyTexts = sql.join(key.map((column) => sql`${sql.ref(column.name)}::text`));
    const last = after
      ? sql.join(key.map(({ type }, index) => sql`${after[index]}::text::${sql.raw(type)}`))
      : undefined;
    const { rows } = await sql<{ last: string[] }>`
      with page as (
        select ${sql.join(columns.map((column) => sql.ref(column)))}, array[${keyTexts}] as page_key,
          row_number() over (order by ${keyColumns}) as page_row
        from ${sql.table(name)} where ${sql.ref(owner)} = ${userId} ${last ? sql`and (${keyColumns}) > (${last})` : sql``}
        order by ${keyColumns} limit ${rowsPerPart}
      ), added as (
        insert into account_export_parts (user_id, export_id, number, table_name, content)
        select ${userId}, ${exportId}, ${number}, ${name}, string_agg((${exportedRow(name)})::text, ',' order by page_row) from page having count(*) > 0
      )
      select page_key as last from page order by page_row desc limit 1`.execute(db);
    return rows[0]?.last;
  },

  complete: (userId: string, id: string, completed_at: Date) =>
    db
      .updateTable('account_exports')
      .set({ completed_at })
      .where('user_id', '=', userId)
      .where('id', '=', id)
      .execute(),

  /** Deletes archives that have expired. Resolves to their number. */
  deleteExpired: async (now: Date): Promise<number> => {
    const expired = await db
      .selectFrom('account_exports')
      .select(['user_id', 'id'])
      .where('expires_at', '<', now)
      .limit(100)
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
        .select(['id', 'created_at', 'completed_at', 'expires_at'])
        .where('user_id', '=', userId)
        .where('id', '=', id)
        .where('expires_at', '>', now)
        .executeTakeFirst(),

    /** Returns a part of an archive. */
    findPart: (exportId: string, number: number) =>
      db
        .selectFrom('account_export_parts')
        .select(['table_name', 'content'])
        .where('user_id', '=', userId)
        .where('export_id', '=', exportId)
        .where('number', '=', number)
        .executeTakeFirst(),
  };
};
