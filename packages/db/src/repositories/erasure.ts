import { sql } from 'kysely';
import type { Context } from './context.ts';

/** A place where a text was found. */
export interface Trace {
  place: string;
  rows: number;
}

/** Removes what deletion leaves of an account, and looks for it. For the owner of the tables, and without time limits. */
export const erasure = ({ db }: Context) => ({
  /** Whether this role may remove events from the audit trail. */
  isAllowed: async (): Promise<boolean> => {
    const { rows } = await sql<{ is_allowed: boolean }>`
      select has_function_privilege('quoin_erase_audit_events(uuid, text)', 'execute') as is_allowed`.execute(db);
    return rows[0]?.is_allowed ?? false;
  },

  /** Deletes the events about an account, and removes it from others. Resolves to the number of events. */
  eraseAuditEvents: async (userId: string, email: string): Promise<number> => {
    const { rows } = await sql<{
      erased: number;
    }>`select quoin_erase_audit_events(${userId}, ${email}) as erased`.execute(db);
    return rows[0]?.erased ?? 0;
  },

  /** Deletes the jobs of an account, and those whose data contain its id or address. Resolves to their number. */
  eraseJobs: async (userId: string, email: string): Promise<number> => {
    const texts = [userId, ...(email ? [email.toLowerCase()] : [])].map((text) => JSON.stringify(text));
    const { numAffectedRows = 0n } = await sql`
      delete from pgboss.job where group_id = ${userId} or singleton_key = ${email}
        or exists (select from unnest(${texts}::text[]) as t (text) where strpos(lower(data::text), t.text) > 0)`.execute(
      db,
    );
    return Number(numAffectedRows);
  },

  /** Deletes the invitations of an address. Resolves to their number. */
  eraseInvitations: async (email: string): Promise<number> => {
    const { numDeletedRows } = await db
      .deleteFrom('invitations')
      .where('email', '=', email.toLowerCase())
      .executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  },

  /** Searches every column of every table for texts, regardless of case. Reads the whole database. */
  findTraces: async (texts: readonly string[]): Promise<Trace[]> => {
    const { rows: columns } = await sql<{ table: string; column: string }>`
      select c.oid::regclass::text as table, quote_ident(a.attname) as column
      from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
      where n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema' and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
      order by 1, a.attnum`.execute(db);
    // Whole addresses: another one may end or begin in the same way.
    const pattern = `(^|[^a-z0-9._%+-])(${texts.map((text) => text.replace(/[^\w]/g, '\\$&')).join('|')})($|[^a-z0-9.-])`;
    const traces: Trace[] = [];
    for (const { table, column } of columns) {
      const matches = sql`${sql.raw(column)}::text ~* ${pattern}`;
      const { rows } = await sql<{ rows: number }>`
        select count(*)::int as rows from ${sql.raw(table)} where ${matches}`.execute(db);
      const count = rows[0]?.rows ?? 0;
      if (count > 0) traces.push({ place: `${table}.${column}`, rows: count });
    }
    return traces;
  },
});
