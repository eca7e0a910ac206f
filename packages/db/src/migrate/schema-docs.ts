import { fileURLToPath } from 'node:url';
import type { Database } from '../database.ts';
import { type CatalogTable, readCatalog } from './catalog.ts';

export const schemaDocsFile = fileURLToPath(new URL('../../../../docs/schema.md', import.meta.url));

/** Returns the text of docs/schema.md. The same schema has the same text on every server. */
export async function schemaDocs(database: Database): Promise<string> {
  const { tables, functions } = await database.inspect(readCatalog);
  return `# Schema

Generated from the database by \`npm run db -- docs\`. Do not edit it: change the entities and generate a migration
([packages/db/README.md](../packages/db/README.md)).

\`\`\`mermaid
erDiagram
${tables.map(diagramTable).join('\n')}
${tables.flatMap(diagramRelations).join('\n')}
\`\`\`

${tables.map(tableSection).join('\n\n')}

## Functions

${inOrder(functions)
  .map(({ name, definition }) => `- \`${name}\`\n\n${fenced(definition.trim())}`)
  .join('\n\n')}
`;
}

/** By name without the product's prefix, so that the order does not depend on the name of the product. */
function inOrder<Named extends { name: string }>(functions: readonly Named[]): Named[] {
  const key = ({ name }: Named) => name.replace(/^quoin_/, '');
  return functions.toSorted((one, other) => (key(one) < key(other) ? -1 : 1));
}

function tableSection(table: CatalogTable): string {
  const rowSecurity = {
    off: 'Row level security is off.',
    on: 'Row level security is on.',
    forced: 'Row level security is on and applies to the owner of the table.',
  }[table.row_security];
  return [
    `## ${table.name}`,
    table.comment ?? '',
    tableOf(
      ['column', 'type', 'null', 'default', 'description'],
      table.columns.map((column) => [
        code(column.name),
        code(column.type),
        column.not_null ? '' : 'yes',
        column.default === null ? '' : `${column.generated ? 'generated: ' : ''}${code(column.default)}`,
        column.comment ?? '',
      ]),
    ),
    tableOf(
      ['constraint', 'kind', 'definition'],
      table.constraints.map(({ name, type, definition }) => [code(name), type, code(definition)]),
    ),
    tableOf(
      ['index', 'definition'],
      table.indexes.map(({ name, definition }) => [code(name), code(definition)]),
    ),
    tableOf(
      ['trigger', 'definition'],
      table.triggers.map(({ name, definition }) => [code(name), code(definition)]),
    ),
    rowSecurity,
    tableOf(
      ['policy', 'definition'],
      table.policies.map(({ name, definition }) => [code(name), code(definition)]),
    ),
    tableOf(
      ['role', 'may'],
      table.privileges.map(({ name, definition }) => [code(name), definition]),
    ),
  ]
    .filter(Boolean)
    .join('\n\n');
}

function diagramTable({ name, columns, constraints }: CatalogTable): string {
  const keyOf = (column: string) => {
    const isIn = (type: string) =>
      constraints.some(
        (one) => one.type === type && new RegExp(`\\(.*\\b${column}\\b.*\\) ?(REF|$)`).test(one.definition),
      );
    return [isIn('primary key') && 'PK', isIn('foreign key') && 'FK'].filter(Boolean).join(', ');
  };
  const rows = columns.map((column) =>
    `    ${column.type.replace(/[^a-z0-9]+/gi, '_').replace(/_$/, '')} ${column.name} ${keyOf(column.name)}`.trimEnd(),
  );
  return `  ${name} {\n${rows.join('\n')}\n  }`;
}

function diagramRelations({ name, constraints }: CatalogTable): string[] {
  const isOne = (key: string) =>
    constraints.some(({ type, definition }) => /primary key|unique/.test(type) && definition.endsWith(`(${key})`));
  return constraints
    .filter(({ type }) => type === 'foreign key')
    .map(({ definition, references }) => {
      const key = /\((.*?)\)/.exec(definition)?.[1] ?? '';
      return `  ${references} ||--o${isOne(key) ? '|' : '{'} ${name} : "${key}"`;
    });
}

function tableOf(head: string[], rows: string[][]): string {
  if (rows.length === 0) return '';
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

const code = (text: string) => `\`${text.replaceAll('|', '\\|')}\``;
const fenced = (text: string) => `\`\`\`sql\n${text}\n\`\`\``;
