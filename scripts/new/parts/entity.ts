import { type Field, typeOf } from '../field-types.ts';
import { capital, type Names } from '../names.ts';
import type { Owner } from '../owner.ts';
import type { Resource } from '../resource.ts';
import { isReadByAll, meaningOf, quoted, type Reference, references, relationOf, searched, uniques } from './fields.ts';

/** Returns the parts of entity.template. */
export function entityParts({ names, fields, owner, parent, sorts, isSearchable, isEmbedded }: Resource) {
  const { table, singularPath } = names;
  const { kind, column } = owner;
  const isOwned = kind !== 'nobody';
  const relations = [...references(fields).map(({ target }) => target), ...(parent ? [parent] : [])];
  const imports = new Map(relations.map((target) => [target.Singular, target.singularPath]));
  if (isOwned) imports.set(capital(kind), kind);
  if (owner.isReadByMembers && !parent) imports.set('Membership', 'membership');
  const indexes = [
    ...references(fields).map((field) => indexOn(table, field.name, referenceColumns(field, owner))),
    ...(parent ? [indexOn(table, parent.column, [parent.column, 'id'])] : []),
    ...sorts.map(({ name }) =>
      indexOn(table, name, [...(parent ? [parent.column] : isOwned ? [column] : []), name, 'id']),
    ),
    ...(owner.isPublic && isOwned && !parent ? [indexOn(table, 'id', ['id'])] : []),
    ...(owner.isPublic && isOwned && !parent
      ? sorts.map(({ name }) => indexOn(table, `${name}_id`, [name, 'id']))
      : []),
    ...(owner.isReadByMembers && !parent
      ? [indexOn(table, 'organization_id', ['organization_id', 'id'], ' where organization_id is not null')]
      : []),
    ...(isSearchable && isReadByAll(owner) ? [trigramIndex(table, searched(fields))] : []),
    ...(isEmbedded && isReadByAll(owner) ? [vectorIndex(table)] : []),
  ];
  const checks = fields.flatMap((field) => checkOf(table, field) ?? []);
  const uniqueKeys = uniques(fields).map(
    ({ name }) => `{ name: 'uq_${table}_${name}', properties: [${isOwned ? `'${kind}', ` : ''}'${name}'] }`,
  );
  const trigger = isEmbedded ? 'updatedAtExceptEmbedding' : 'updatedAtTrigger';
  return {
    'column imports': [
      'createdAt',
      'id',
      policyFunction(owner),
      ...(fields.some(({ type }) => type === 'timestamp') ? ['timestamp'] : []),
      'updatedAt',
      ...(isEmbedded ? [] : [trigger]),
      ...(owner.isReadByMembers ? ['currentOrganization'] : []),
    ].join(', '),
    'entity imports': [
      ...(isEmbedded ? [`import { embeddingColumns, updatedAtExceptEmbedding } from './embedding-columns.ts';\n`] : []),
      ...[...imports]
        .filter(([, file]) => file !== singularPath)
        .map(([name, file]) => `import { ${name}Schema } from './${file}.ts';\n`),
    ].join(''),
    'of the owner': { user: ' of a user', organization: ' of an organization', nobody: '' }[kind],
    'owner property': isOwned ? ownerProperty(table, owner) : '',
    columns: [
      ...(parent ? [relation(parent.name, parent, owner, { table, rule: 'cascade' })] : []),
      ...fields.map((field) => (field.target ? reference(field as Reference, owner, table) : columnOf(field))),
      ...(owner.isReadByMembers && !parent ? [membership(table)] : []),
      ...(isEmbedded ? ['    ...embeddingColumns(),'] : []),
    ].join('\n'),
    constraints: [
      ...(uniqueKeys.length > 0 ? [`  uniques: [${uniqueKeys.join(', ')}],\n`] : []),
      ...(indexes.length > 0 ? [`  indexes: [${indexes.join(', ')}],\n`] : []),
      ...(checks.length > 0 ? [`  checks: [${checks.join(', ')}],\n`] : []),
    ].join(''),
    trigger,
    policies: policies(names, owner, parent),
  };
}

/** Returns the constraint that checks a field; undefined if there is none. */
export function checkOf(table: string, field: Field): string | undefined {
  const condition = typeOf(field).check?.(field.args);
  return condition && `{ name: 'chk_${table}_${field.name}', expression: "${field.name} ${condition}" }`;
}

/** Returns the line of a column. */
export function columnOf(field: Field): string {
  const { column, default: readDefault } = typeOf(field);
  const value = field.default === undefined ? '' : readDefault?.(field.default, field.args)?.column;
  const extra = field.isOptional ? '.nullable()' : value;
  const comment = `${meaningOf(field)}${field.type === 'string' && !field.isOptional ? '; not blank' : ''}.`;
  return `    ${field.name}: ${column(field.args)}${extra}.comment('${comment}'),`;
}

const ownerProperty = (table: string, { kind, column }: Owner) =>
  `    ${kind}: () =>
      p.manyToOne(${capital(kind)}Schema).primary().deleteRule('cascade').foreignKeyName('fk_${table}_${column}').comment('The ${kind === 'user' ? 'owner' : kind}.'),\n`;

/** A relation to a row of the same owner contains the owner, so that it cannot point to somebody else's row. */
const relation = (
  name: string,
  target: Pick<Names, 'Singular'> & { kind: string },
  owner: Owner,
  { table, rule, isOptional = false }: { table: string; rule: string; isOptional?: boolean },
) => {
  const columns = target.kind === 'nobody' ? [`${name}_id`] : [owner.column, `${name}_id`];
  // The comment of a composite key is that of its columns.
  const shared = columns.length > 1 ? `The ${owner.kind === 'user' ? 'owner' : owner.kind}, and the` : 'The';
  const join = columns.length > 1 ? `.joinColumns(${quoted(columns)})` : `.joinColumn('${name}_id')`;
  return `    ${name}: () =>
      p.manyToOne(${target.Singular}Schema)${join}${isOptional ? '.nullable()' : ''}.updateRule('no action').deleteRule('${rule}').foreignKeyName('fk_${table}_${name}_id').comment('${shared} ${name.replaceAll('_', ' ')}.'),`;
};

export const reference = (field: Reference, owner: Owner, table: string) =>
  relation(relationOf(field), field.target, owner, { table, rule: 'no action', isOptional: field.isOptional });

/** The membership that the row is shared through. When it ends, the row stays with its owner and is no longer shared. */
const membership = (table: string) => `    membership: () =>
      p.manyToOne(MembershipSchema).joinColumns('organization_id', 'user_id').nullable().updateRule('no action').deleteRule('set null (organization_id)').foreignKeyName('fk_${table}_organization_id').comment('The owner, and the organization whose members read it, if any.'),`;

export const indexOn = (table: string, name: string, columns: string[], condition = '') =>
  `{ name: 'idx_${table}_${name}', expression: 'create index "idx_${table}_${name}" on "${table}" (${columns.map((one) => `"${one}"`).join(', ')})${condition}' }`;

/** The ids of rows of one owner imply the owner. */
export const referenceColumns = ({ name, target }: Reference, owner: Owner) =>
  target.kind === 'nobody' && owner.column && !owner.isPublic ? [name, owner.column, 'id'] : [name, 'id'];

const trigramIndex = (table: string, fields: Field[]) =>
  `{ name: 'idx_${table}_text', expression: 'create index "idx_${table}_text" on "${table}" using gin (${fields.map(({ name }) => `"${name}" gin_trgm_ops`).join(', ')})' }`;

const vectorIndex = (table: string) =>
  `{ name: 'idx_${table}_embedding', expression: 'create index "idx_${table}_embedding" on "${table}" using hnsw ("embedding" vector_cosine_ops) with (m = 24, ef_construction = 128)' }`;

const policyFunction = ({ kind }: Owner) =>
  ({ user: 'ownedBy', organization: 'ownedByOrganization', nobody: 'ownedByNobody' })[kind];

function policies({ table }: Names, owner: Owner, parent: Resource['parent']): string {
  const members = parent
    ? `\`exists (select from ${parent.table} p where p.user_id = ${table}.user_id and p.id = ${table}.${parent.column} and p.organization_id = \${currentOrganization})\``
    : `\`organization_id = \${currentOrganization}\``;
  const options = [
    ...(owner.kind === 'organization' && owner.isWrittenByAdmins ? [`writers: 'admins'`] : []),
    ...(owner.isPublic ? [owner.kind === 'nobody' ? 'isPublic: true' : `publicRows: 'true'`] : []),
    ...(owner.isReadByMembers ? [`memberRows: ${members}`] : []),
  ].join(', ');
  const args = [`'${table}'`, ...(owner.kind === 'user' ? [`'user_id'`] : []), ...(options ? [`{ ${options} }`] : [])];
  return `${policyFunction(owner)}(${args.join(', ')})`;
}
