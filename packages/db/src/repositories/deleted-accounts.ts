import { sql } from 'kysely';
import type { Context } from './context.ts';
import { hasVersion, type Versions } from './version.ts';

/** A table whose rows are deleted with their account, and its column with the id of the account. */
export interface DependentTable {
  name: string;
  column: string;
}

/** Deleted accounts. `mark` hides an account at once; a job deletes its rows later. */
export const deletedAccounts = ({ db }: Context) => ({
  /**
   * Makes the account unusable and invisible, removes its personal data, and frees its email and username.
   *
   * @param passwordHash marks it only if the password is still this one
   * @param versions marks it only if it has one of them
   * @returns whether it did
   */
  mark: async (
    id: string,
    now: Date,
    { passwordHash, versions }: { passwordHash?: string | null | undefined; versions?: Versions } = {},
  ): Promise<boolean> => {
    let query = db
      .updateTable('users')
      .set({
        deleted_at: now,
        deletion_due_at: null,
        // Not an email address, so it cannot be registered.
        email: `deleted ${id}`,
        username: null,
        full_name: null,
        password_hash: null,
        email_verified_at: null,
        is_active: false,
        is_admin: false,
      })
      .where('id', '=', id)
      .where('deleted_at', 'is', null)
      .where(hasVersion('users', versions));
    if (passwordHash) query = query.where('password_hash', '=', passwordHash);
    const { numUpdatedRows } = await query.executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  },

  /** Requests the deletion of an account, in place of an earlier request. Resolves to whether the account exists. */
  request: async (id: string, deletion_due_at: Date): Promise<boolean> => {
    const { numUpdatedRows } = await db
      .updateTable('users')
      .set({ deletion_due_at })
      .where('id', '=', id)
      .where('deleted_at', 'is', null)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  },

  /** Cancels the deletion of an account that is not deleted yet. Resolves to whether one was requested. */
  cancel: async (id: string): Promise<boolean> => {
    const { numUpdatedRows } = await db
      .updateTable('users')
      .set({ deletion_due_at: null })
      .where('id', '=', id)
      .where('deletion_due_at', 'is not', null)
      .where('deleted_at', 'is', null)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  },

  /** Returns accounts whose deletion should have happened before a time, and that no job deletes. */
  listOverdue: async (before: Date, limit: number): Promise<string[]> => {
    const { rows } = await sql<{ id: string }>`
      select id from users where (deletion_due_at < ${before} or deleted_at < ${before}) and not exists (
        select from pgboss.job where job.name = 'delete-account' and group_id = users.id::text and state < 'completed')
      limit ${limit}`.execute(db);
    return rows.map(({ id }) => id);
  },

  /** Locks an account until the transaction ends, and returns when it was deleted, and when it will be. */
  lock: (id: string) =>
    db
      .selectFrom('users')
      .select(['deleted_at', 'deletion_due_at'])
      .where('id', '=', id)
      .forNoKeyUpdate()
      .executeTakeFirst(),

  /** Returns the tables whose rows are deleted with an account, or with an organization: tables that refer to others come before them. */
  dependentTables: async (of: 'users' | 'organizations' = 'users'): Promise<DependentTable[]> => {
    const { rows } = await sql<DependentTable>`
      with recursive reference as (
        select distinct conrelid, confrelid from pg_constraint
        where contype = 'f' and confdeltype in ('a', 'r') and conrelid <> confrelid and conparentid = 0
      ), chain as (
        select confrelid as relation, 0 as steps from reference
        union select conrelid, steps + 1 from chain join reference on confrelid = relation where steps < 100
      )
      select conrelid::regclass::text as name, attname as column
      from pg_constraint join pg_attribute on attrelid = conrelid and attnum = conkey[1]
      where confrelid = ${of}::regclass and contype = 'f' and confdeltype = 'c' and conparentid = 0
      order by coalesce((select max(steps) from chain where relation = conrelid), 0) desc, 1`.execute(db);
    return rows;
  },

  /** Deletes up to `limit` rows of an account or an organization, without waiting for locks. Resolves to their number. */
  deleteRows: async ({ name, column }: DependentTable, id: string, limit: number): Promise<number> => {
    const table = sql.table(name);
    const owner = sql.ref(column);
    const { numAffectedRows = 0n } = await sql`
      delete from ${table} where ${owner} = ${id} and ctid = any(array(
        select ctid from ${table} where ${owner} = ${id} limit ${limit} for update skip locked))`.execute(db);
    return Number(numAffectedRows);
  },

  /** Deletes a marked account and, by foreign keys, what still belongs to it. */
  delete: (id: string) => db.deleteFrom('users').where('id', '=', id).where('deleted_at', 'is not', null).execute(),
});
