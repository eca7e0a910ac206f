import type { Connection } from '../connection.ts';

// Reads the schema of a live database from pg_catalog, to compare two databases and to write docs/schema.md. The result is the same on PostgreSQL 15, 17
// and 18.

export interface CatalogColumn {
  name: string;
  type: string;
  not_null: boolean;
  default: string | null;
  generated: boolean;
  comment: string | null;
}
export interface Named {
  name: string;
  definition: string;
}
export interface CatalogTable {
  name: string;
  comment: string | null;
  row_security: 'off' | 'on' | 'forced';
  columns: CatalogColumn[];
  constraints: (Named & {
    type: 'primary key' | 'unique' | 'foreign key' | 'check' | 'exclusion';
    references: string | null;
  })[];
  /** Without those of constraints. */
  indexes: Named[];
  policies: Named[];
  triggers: Named[];
  /** Privileges of the roles of units of work. */
  privileges: Named[];
}
export interface Catalog {
  tables: CatalogTable[];
  functions: Named[];
}

/** Reads the schema `public` without the objects of extensions. */
export const readCatalog = (connection: Connection): Promise<Catalog> => readSchema(connection, 'public');

/** Reads the schema of the job queue. */
export const readQueueCatalog = (connection: Connection): Promise<Catalog> => readSchema(connection, 'pgboss');

async function readSchema(connection: Connection, schema: 'public' | 'pgboss'): Promise<Catalog> {
  const { rows: tables } = await connection.query<CatalogTable>(tablesSql(schema));
  const { rows: functions } = await connection.query<Named>(functionsSql(schema));
  return { tables, functions };
}

/** Returns the facts of a catalog as lines, so that two catalogs can be compared as sets. */
export function catalogFacts({ tables, functions }: Catalog): string[] {
  const comment = (text: string | null) => (text === null ? [] : [`comment ${JSON.stringify(text)}`]);
  return [
    ...functions.map(({ definition }) => definition.replace(/\s+/g, ' ').trim()),
    ...tables.flatMap((table) =>
      [
        `row level security ${table.row_security}`,
        ...comment(table.comment),
        ...table.columns.flatMap((column) => {
          const fact = [
            `column ${column.name} ${column.type}`,
            column.not_null && 'not null',
            column.default !== null && `${column.generated ? 'generated as' : 'default'} ${column.default}`,
          ];
          return [
            fact.filter(Boolean).join(' '),
            ...comment(column.comment).map((text) => `column ${column.name} ${text}`),
          ];
        }),
        ...table.constraints.map(({ name, definition }) => `constraint ${name} ${withoutTextCasts(definition)}`),
        ...table.indexes.map(({ definition }) => definition),
        ...table.policies.map(({ name, definition }) => `policy ${name} ${definition}`),
        ...table.triggers.map(({ definition }) => definition),
        ...table.privileges.map(({ name, definition }) => `${name} may ${definition}`),
      ].map((fact) => `table ${table.name}: ${fact}`),
    ),
  ];
}

/** Removes casts of lists of texts: PostgreSQL casts the list as written, but each text after a restore from a dump. */
function withoutTextCasts(definition: string): string {
  return definition.startsWith('CHECK')
    ? definition.replace(/::(?:character varying|text)(?:\[\])?|[()]/g, '')
    : definition;
}

const list = (select: string) => `coalesce((select json_agg(item order by item.name) from (${select}) item), '[]')`;

const ofExtension = (object: string, catalog: string) =>
  `exists (select from pg_depend where classid = '${catalog}'::regclass and objid = ${object} and deptype = 'e')`;

/** Partitions have no definition of their own, except the one that contains the jobs: its indexes are not those of its parent. */
const tablesSql = (schema: string) => `
select
  c.relname as name,
  obj_description(c.oid, 'pg_class') as comment,
  case when not c.relrowsecurity then 'off' when c.relforcerowsecurity then 'forced' else 'on' end as row_security,
  (
    select json_agg(item order by item.position) from (
      select a.attnum as position, a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as not_null,
        pg_get_expr(d.adbin, d.adrelid) as default, a.attgenerated <> '' as generated, col_description(c.oid, a.attnum) as comment
      from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    ) item
  ) as columns,
  ${list(`
    select conname as name, pg_get_constraintdef(oid) as definition, confrelid::regclass::text as references,
      case contype when 'p' then 'primary key' when 'u' then 'unique' when 'f' then 'foreign key' when 'c' then 'check' else 'exclusion' end as type
    from pg_constraint where conrelid = c.oid and contype in ('p', 'u', 'f', 'c', 'x')`)} as constraints,
  ${list(`
    select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
    from pg_index i where i.indrelid = c.oid and not exists (select from pg_constraint where conindid = i.indexrelid and contype in ('p', 'u', 'x'))`)} as indexes,
  ${list(`
    select polname as name, concat_ws(' ',
      case when polpermissive then 'permissive' else 'restrictive' end,
      'for ' || case polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
      'to ' || coalesce((select string_agg(rolname, ', ' order by rolname) from pg_roles where oid = any (polroles)), 'public'),
      'using ' || pg_get_expr(polqual, polrelid),
      'with check ' || pg_get_expr(polwithcheck, polrelid)) as definition
    from pg_policy where polrelid = c.oid`)} as policies,
  ${list(`
    select tgname as name, pg_get_triggerdef(oid) as definition from pg_trigger where tgrelid = c.oid and not tgisinternal`)} as triggers,
  ${list(`
    select string_agg(lower(privilege), ', ' order by privilege) as definition, grantee::regrole::text as name from (
      select privilege_type as privilege, grantee from aclexplode(c.relacl)
      union all
      select privilege_type || ' (' || attname || ')', grantee from pg_attribute, aclexplode(attacl) where attrelid = c.oid
    ) privileges where grantee in (to_regrole('quoin_app'), to_regrole('quoin_public'), to_regrole('quoin_system')) group by grantee`)} as privileges
from pg_class c
where c.relnamespace = '${schema}'::regnamespace and c.relkind in ('r', 'p') and (not c.relispartition or c.relname = 'job_common') and not ${ofExtension('c.oid', 'pg_class')}
order by c.relname collate "C"`;

const functionsSql = (schema: string) => `
select p.oid::regprocedure::text as name, pg_get_functiondef(p.oid) as definition
from pg_proc p
where p.pronamespace = '${schema}'::regnamespace and p.prokind in ('f', 'p') and not ${ofExtension('p.oid', 'pg_proc')}
order by p.oid::regprocedure::text collate "C"`;
