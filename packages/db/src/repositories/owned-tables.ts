import { sql } from 'kysely';

/** The tables with rows of users, by the catalogue, and the column with the id of the user. */
export const ownedTables = sql`
  select c.oid as table, a.attname::text as column from pg_class c join pg_attribute a on a.attrelid = c.oid
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and a.attname = case c.relname when 'users' then 'id' else 'user_id' end`;
