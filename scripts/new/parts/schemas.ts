import { type Field, typeOf } from '../field-types.ts';
import type { Resource } from '../resource.ts';
import { filtered, isRequired, meaningOf, sample, searched, wordsOf, writable } from './fields.ts';
import { hasReaders } from './repository.ts';

/** Returns the parts of schemas.template. */
export function schemaParts({ names, fields, owner, parent, sorts, isEmbedded, ...resource }: Resource) {
  const { Singular, singular_id } = names;
  const readOnly = fields
    .filter(({ isReadOnly }) => isReadOnly)
    .map(propertyOf)
    .join('\n');
  const isNullable = fields.some(({ isOptional }) => isOptional);
  const isShared = owner.isReadByMembers && !parent;
  const isPublic = owner.isPublic && owner.kind !== 'nobody';
  const parentProperty = parent ? `    ${parent.column}: Id('Id of the ${parent.name}.'),\n` : '';
  const inPath = parent ? `${parent.column}: Id('Id of the ${parent.name}.'), ` : '';
  const ownerParams = { user: 'user_id: OwnerId, ', organization: '...OrganizationParams.properties, ', nobody: '' };
  const itemParams = `${inPath}${singular_id}: Id('Id of the ${names['singular words']}.')`;
  const params = (name: string, properties: string) => `\nexport const ${name} = closed({ ${properties} });\n`;
  return {
    'page imports': sorts.length > 0 ? 'pageOf' : 'pageOf, pageQuery',
    'schema imports': [
      'changesOf',
      'closed',
      'Id',
      ...(isNullable || isShared ? ['nullable'] : []),
      ...(owner.kind === 'organization' || owner.isReadByMembers ? ['OrganizationParams'] : []),
      ...(owner.kind === 'user' ? ['OwnerId'] : []),
      ...(fields.some(({ type }) => type === 'enum') ? ['oneOf'] : []),
      'Timestamp',
    ].join(', '),
    'sorted import': sorts.length > 0 ? `import { sortedPageQuery } from '../http/sorted-page.ts';\n` : '',
    'search import': isEmbedded ? `import { score } from '../embeddings/row-search.ts';\n` : '',
    properties: [
      ...writable(fields).map(propertyOf),
      ...(isShared ? [`  organization_id: nullable(Id('Organization whose members read it, if any.')),`] : []),
    ].join('\n'),
    'owner schema':
      (owner.column ? `    ${owner.column}: Id('Id of the ${owner.kind === 'user' ? 'owner' : owner.kind}.'),\n` : '') +
      parentProperty,
    'parent schema': parentProperty,
    'new properties': [
      ...writable(fields).map(newPropertyOf),
      ...(isShared ? ['    organization_id: Type.Optional(properties.organization_id),'] : []),
    ].join('\n'),
    'new example': fields
      .filter(isRequired)
      .map((field) => `${field.name}: ${sample(field)}`)
      .join(', '),
    'changes example': writable(fields)
      .slice(0, 1)
      .map((field) => `${field.name}: ${sample(field)}`)
      .join(''),
    'read only properties': readOnly
      ? `\n/** What clients read and do not write. */\nconst readOnlyProperties = {\n${readOnly}\n};\n`
      : '',
    'read only': readOnly ? '    ...readOnlyProperties,\n' : '',
    sorts:
      sorts.length > 0
        ? `/** What lists can be sorted by, with the type in PostgreSQL. */
export const ${names.singular}Sorts = { ${sorts.map(sortOf).join(', ')} } as const;\n\n`
        : '',
    'page query':
      sorts.length > 0 ? `...sortedPageQuery([${sorts.map(({ name }) => `'${name}'`).join(', ')}]),` : '...pageQuery,',
    query: queryOf({ fields, ...resource }),
    'owner params': ownerParams[owner.kind],
    'parent params': inPath,
    'other schemas': [
      ...(parent ? [params(`${Singular}ListParams`, `${ownerParams[owner.kind]}${inPath}`)] : []),
      ...(isPublic ? [publicSchemas(names.Singular, parentProperty, readOnly ? ' ...readOnlyProperties,' : '')] : []),
      ...(hasReaders({ owner }) && owner.isPublic ? [params(`Public${Singular}Params`, itemParams)] : []),
      ...(parent && isPublic ? [params(`Public${Singular}ListParams`, inPath)] : []),
      ...(owner.isReadByMembers
        ? [params(`Organization${Singular}Params`, `...OrganizationParams.properties, ${itemParams}`)]
        : []),
      ...(owner.isReadByMembers && parent
        ? [params(`Organization${Singular}ListParams`, `...OrganizationParams.properties, ${inPath}`)]
        : []),
      ...(isEmbedded ? [nearestSchema('', Singular), ...(isPublic ? [nearestSchema('Public', Singular)] : [])] : []),
    ].join(''),
  };
}

const sortOf = (field: Field) =>
  `${field.name}: { type: '${typeOf(field).sort}'${field.isOptional ? ', isNullable: true' : ''} }`;

/** Returns the line of a field in `properties`. */
export function propertyOf(field: Field): string {
  const about = `description: '${meaningOf(field)}${field.type === 'string' ? '; not blank' : ''}.', examples: [${sample(field)}]`;
  const schema = typeOf(field).schema(field.args, about, meaningOf(field));
  return `  ${field.name}: ${field.isOptional ? `nullable(${schema})` : schema},`;
}

/** Returns the line of a field in the schema of a new row. */
export const newPropertyOf = (field: Field) =>
  isRequired(field)
    ? `    ${field.name}: properties.${field.name},`
    : `    ${field.name}: Type.Optional(properties.${field.name}),`;

function queryOf({ fields }: Pick<Resource, 'fields'>): string {
  const q = searched(fields).map(wordsOf).join(' or ');
  return [
    ...filtered(fields).map((field) => {
      const about = `description: 'Filter by ${field.name}.'`;
      return `  ${field.name}: Type.Optional(${typeOf(field).schema(field.args, about, `Filter by ${field.name}`)}),`;
    }),
    ...(q
      ? [
          `  q: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'Text in the ${q}, regardless of case.' })),`,
        ]
      : []),
  ].join('\n');
}

const publicSchemas = (Singular: string, parentProperty: string, readOnly: string) => `
/** What everybody sees: not whose it is. */
export const Public${Singular} = closed(
  { id: ${Singular}.properties.id, ${parentProperty.trim()} ...properties,${readOnly} created_at: ${Singular}.properties.created_at, updated_at: ${Singular}.properties.updated_at },
  { title: 'Public${Singular}' },
);

export const Public${Singular}Page = pageOf('Public${Singular}Page', Public${Singular});
`;

const nearestSchema = (prefix: string, Singular: string) => `
export const ${prefix}${Singular}Results = closed(
  { items: Type.Array(closed({ ...${prefix}${Singular}.properties, score }, { title: '${prefix}${Singular}Result' })) },
  { title: '${prefix}${Singular}Results' },
);
`;
