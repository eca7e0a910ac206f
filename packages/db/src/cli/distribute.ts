import type { Connection } from '../connection.ts';
import type { Database } from '../database.ts';

interface OwnedTable {
  name: string;
  is_distributed: boolean;
}

/**
 * Spreads the rows of users over the servers of a Citus cluster, by owner: every server gets a copy of `users`, and a user's rows of the other tables lie
 * together on one server. Tables whose keys do not contain the owner stay where they are. Can be run again, for tables that were added.
 *
 * @returns the tables that it distributed
 * @throws Error if the server has no Citus
 */
export async function distribute(database: Database): Promise<string[]> {
  return database.maintain(async (connection) => {
    await requireCitus(connection);
    await connection.execute('begin');
    try {
      // Citus connects to the other servers as the role of the statement.
      await connection.execute(
        'alter role quoin_app login; alter role quoin_public login; alter role quoin_system login',
      );
      // Citus calls all triggers unsafe. Ours change only the row that fired them.
      await connection.execute('set local citus.enable_unsafe_triggers = on');
      const { rows } = await connection.query<{ is_done: boolean }>(
        `select exists (select from pg_dist_partition where logicalrelid = 'users'::regclass) as is_done`,
      );
      const tables = (await ownedTables(connection)).filter(({ is_distributed }) => !is_distributed);
      await simplifyPolicies(connection);
      if (!rows[0]?.is_done) await connection.query(`select create_reference_table('users')`);
      for (const { name } of tables)
        await connection.query(`select create_distributed_table($1::regclass, 'user_id')`, [name]);
      await setForDatabase(connection, 'citus.propagate_set_commands', 'local');
      await setForDatabase(connection, 'citus.enable_unsafe_triggers', 'on');
      await connection.execute('commit');
      return tables.map(({ name }) => name);
    } catch (error) {
      await connection.execute('rollback');
      throw error;
    }
  });
}

async function requireCitus(connection: Connection): Promise<void> {
  const { rows } = await connection.query(`select from pg_extension where extname = 'citus'`);
  if (rows.length === 0)
    throw new Error(
      'this database has no extension citus: `distribute` spreads the rows of users over several servers, which one server does not need. docs/scaling.md says when and how',
    );
}

/**
 * The tables that `quoin_app` can insert into and whose unique keys all contain the owner. The others stay, because Citus refuses writes of two roles to one shard in
 * a transaction.
 */
async function ownedTables(connection: Connection): Promise<OwnedTable[]> {
  const { rows } = await connection.query<OwnedTable>(`
    select t.relname as name, exists (select from pg_dist_partition where logicalrelid = t.oid and partmethod = 'h') as is_distributed
    from pg_class t join pg_attribute a on a.attrelid = t.oid and a.attname = 'user_id'
    where t.relkind = 'r' and t.relnamespace = 'public'::regnamespace and has_table_privilege('quoin_app', t.oid, 'insert')
      and exists (select from pg_index i where i.indrelid = t.oid and i.indisprimary)
      and not exists (select from pg_index i where i.indrelid = t.oid and i.indisunique and not a.attnum = any(i.indkey))
    order by 1`);
  return rows;
}

/** Citus accepts no subquery in a policy of a table that is distributed, or has a foreign key to one. Without it the function can run once per row. */
async function simplifyPolicies(connection: Connection): Promise<void> {
  const { rows } = await connection.query<{ statement: string }>(
    `select concat(
       format('alter policy %I on %I', policyname, tablename),
       ' using (' || regexp_replace(qual, $1, '\\1', 'g') || ')',
       ' with check (' || regexp_replace(with_check, $1, '\\1', 'g') || ')') as statement
     from pg_policies where schemaname = 'public' and concat(qual, with_check) ~ $1`,
    [String.raw`\(\s*SELECT (quoin_\w+\(\)) AS \w+\)`],
  );
  for (const { statement } of rows) await connection.execute(statement);
}

/** Settings that every later connection needs. */
async function setForDatabase(connection: Connection, name: string, value: string): Promise<void> {
  const { rows } = await connection.query<{ statement: string }>(
    `select format('alter database %I set %s = %L', current_database(), $1::text, $2::text) as statement`,
    [name, value],
  );
  await connection.execute(rows[0]?.statement ?? '');
}
