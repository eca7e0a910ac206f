import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { EntitySchema } from '@mikro-orm/core';
import type { Database } from '../database.ts';
import type { CatalogColumn, CatalogTable } from './catalog.ts';
import { readCatalog } from './catalog.ts';
import type { DriftOptions } from './drift.ts';
import { replayed } from './replay.ts';

// Kysely's table types, generated from the migrations and checked in, so that production needs no MikroORM.

export const tableTypesFile = fileURLToPath(new URL('../schema/tables.ts', import.meta.url));

/** Columns whose type is narrower than that of the database. */
const narrowTypes: Record<string, string> = {
  'audit_events.action': 'AuditAction',
  'one_time_tokens.purpose': 'TokenPurpose',
  'user_preferences.theme': 'Theme',
  'challenges.purpose': 'ChallengePurpose',
  'user_sessions.methods': 'AuthenticationMethod[]',
  'users.kind': 'UserKind',
  'memberships.role': 'OrganizationRole',
  'invitations.role': 'OrganizationRole',
  'user_sessions.revoked_reason': 'RevokedReason',
};

const types: [pattern: RegExp, type: string][] = [
  [/^text\[\]/, 'string[]'],
  [/^(uuid|text|inet|tsvector|numeric|bigint|date|character varying|interval|citext)/, 'string'],
  [/^(smallint|integer|real|double precision)/, 'number'],
  [/^boolean/, 'boolean'],
  [/^timestamp with time zone/, 'Date'],
  [/^bytea/, 'Uint8Array'],
  [/^jsonb?$/, 'Record<string, unknown>'],
  [/^vector/, 'Vector'],
];

/** Writes the types. Resolves to whether they were stale. With `isCheck`, writes nothing. */
export async function updateTableTypes(
  { isCheck }: { isCheck: boolean },
  options: DriftOptions = {},
): Promise<boolean> {
  const text = await replayed(options, ({ database }) => tableTypes(database, options));
  const isStale = (await readFile(tableTypesFile, 'utf8').catch(() => '')) !== text;
  if (isStale && !isCheck) await writeFile(tableTypesFile, text);
  return isStale;
}

/** Returns the types of the tables of a database. */
export async function tableTypes(database: Database, options: DriftOptions = {}): Promise<string> {
  const { entities } = await import('../schema/entities.ts');
  const { tables } = await database.inspect(readCatalog);
  return typesText(tables, options.entities ?? entities);
}

function typesText(tables: CatalogTable[], entities: readonly EntitySchema[]): string {
  const known = tables.flatMap((table) => {
    const name = entities.find(({ meta }) => meta.tableName === table.name)?.meta.className;
    return name ? [{ ...table, entity: name }] : [];
  });
  const body = known
    .map(
      ({ name, entity, columns, constraints }) => `interface ${entity}Table {
${columns.map((column) => `  ${column.name}: ${columnType(name, column, constraints)};`).join('\n')}
}
export type ${entity} = Selectable<${entity}Table>;`,
    )
    .join('\n\n');
  const values = [...new Set(Object.values(narrowTypes))]
    .map((type) => type.replace('[]', ''))
    .filter((type) => new RegExp(`\\b${type}\\b`).test(body))
    .sort();
  const kysely = ['ColumnType', 'Generated', 'Selectable'].filter((type) => body.includes(type));
  return `// Generated from the migrations by \`npm run db -- types\`. Do not edit.

import type { ${kysely.join(', ')} } from 'kysely';
${importOf(values, './values.ts')}${body.includes('Vector') ? `import type { Vector } from './vector.ts';\n` : ''}
/** The tables as Kysely sees them. */
export interface Tables {
${known.map(({ name, entity }) => `  ${name}: ${entity}Table;`).join('\n')}
}

${body}
`;
}

/** Wraps long lists as Biome does. */
function importOf(names: string[], from: string): string {
  if (names.length === 0) return '';
  const line = `import type { ${names.join(', ')} } from '${from}';\n`;
  return line.length <= 121
    ? line
    : `import type {\n${names.map((name) => `  ${name},\n`).join('')}} from '${from}';\n`;
}

/** Returns the values that a check of a column allows, as a type: `chk_orders_status` of the column `status`. */
function checkedValues(table: string, { name }: CatalogColumn, constraints: CatalogTable['constraints']) {
  const check = constraints.find((one) => one.name === `chk_${table}_${name}`);
  const list = /ANY \(+ARRAY\[(.*?)\]/.exec(check?.definition ?? '')?.[1];
  return list && [...list.matchAll(/'([\w-]+)'/g)].map(([value]) => value).join(' | ');
}

function columnType(table: string, column: CatalogColumn, constraints: CatalogTable['constraints']): string {
  const base =
    narrowTypes[`${table}.${column.name}`] ??
    checkedValues(table, column, constraints) ??
    types.find(([pattern]) => pattern.test(column.type))?.[1];
  if (!base)
    throw new Error(`${table}.${column.name}: no TypeScript type for ${column.type}; add one to table-types.ts`);
  const type = column.not_null ? base : `${base} | null`;
  if (column.generated) return `ColumnType<${type}, never, never>`;
  return column.default === null ? type : `Generated<${type}>`;
}
