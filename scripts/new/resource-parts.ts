import { type Field, typeOf } from './field-types.ts';
import { filteredList, plainList } from './list-parts.ts';
import type { Owner } from './owner-parts.ts';

// The parts of the templates that depend on the fields.

export const searched = (fields: Field[]) => fields.filter((field) => typeOf(field).isSearched);
/** Fields that lists are filtered by: every boolean, and what `--filter` names. */
export const filtered = (fields: Field[]) => fields.filter(({ type, isFiltered }) => type === 'boolean' || isFiltered);
export const uniques = (fields: Field[]) => fields.filter(({ isUnique }) => isUnique);
export const isRequired = ({ isOptional, default: value }: Field) => !isOptional && value === undefined;
const wordsOf = ({ name }: Field) => name.replaceAll('_', ' ');
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** Describes a field, without a full stop. */
function meaningOf(field: Field): string {
  if (field.type !== 'boolean') return capital(wordsOf(field));
  const [, verb = 'is', rest] = /^(?:(is|has) )?(.*)$/.exec(wordsOf(field)) ?? [];
  return `Whether it ${verb} ${rest}`;
}

export function entityParts(fields: Field[], { table }: { table: string }, owner: Owner) {
  const ownerProperty = owner.kind === 'nobody' ? '' : `'${owner.kind}', `;
  const columns = fields.map((field) => {
    const { column, default: readDefault } = typeOf(field);
    const value = field.default === undefined ? '' : readDefault?.(field.default, field.args)?.column;
    const extra = field.isOptional ? '.nullable()' : value;
    const comment = `${meaningOf(field)}${field.type === 'string' && !field.isOptional ? '; not blank' : ''}.`;
    return `    ${field.name}: ${column(field.args)}${extra}.comment('${comment}'),`;
  });
  const constraints = uniques(fields).map(
    ({ name }) => `{ name: 'uq_${table}_${name}', properties: [${ownerProperty}'${name}'] }`,
  );
  const checks = fields
    .filter(({ type }) => type === 'enum')
    .map(({ name, args }) => {
      const list = args.map((one) => `'${one}'`).join(', ');
      return `{ name: 'chk_${table}_${name}', expression: "${name} in (${list})" }`;
    });
  return {
    columns: columns.join('\n'),
    'column imports': fields.some(({ type }) => type === 'timestamp') ? 'timestamp, ' : '',
    constraints: [
      ...(constraints.length > 0 ? [`  uniques: [${constraints.join(', ')}],\n`] : []),
      ...(checks.length > 0 ? [`  checks: [${checks.join(', ')}],\n`] : []),
    ].join(''),
  };
}

export function repositoryParts(
  fields: Field[],
  { Singular, table }: { Singular: string; table: string },
  owner: Owner,
) {
  const ofOwner = owner.kind === 'nobody' ? '' : `.where('${owner.column}', '=', ${owner.variable})`;
  const filters = filtered(fields);
  const hasText = searched(fields).length > 0;
  const hasFilter = filters.length > 0 || hasText;
  const names = [...filters.map(({ name }) => name), ...(hasText ? ['q'] : [])];
  const properties = [
    ...filters.map((field) => `  ${field.name}?: ${filterType(field)} | undefined;`),
    ...(hasText
      ? [
          `  /** Text in the ${searched(fields).map(wordsOf).join(' or the ')}, regardless of case. */`,
          '  q?: string | undefined;',
        ]
      : []),
  ];
  const contains = searched(fields).map(({ name }) => `containsText('${name}', q)`);
  const condition = contains.length > 1 ? `({ or }) => or([${contains.join(', ')}])` : contains[0];
  const conditions = [
    ...filters.map(({ name }) => `      if (${name} !== undefined) query = query.where('${name}', '=', ${name});`),
    ...(hasText ? [`      if (q !== undefined) query = query.where(${condition});`] : []),
  ];
  return {
    'page imports': [
      ...(hasText ? ['containsText'] : []),
      'type PageRequest',
      'paged',
      ...(hasFilter ? ['scanned', 'scannedMax'] : []),
    ].join(', '),
    'quoted fields': fields.map(({ name }) => `'${name}'`).join(', '),
    'filter type': hasFilter ? `export interface ${Singular}Filter {\n${properties.join('\n')}\n}` : '',
    list: hasFilter ? filteredList(Singular, table, names, conditions, ofOwner) : plainList(table, ofOwner),
  };
}

export function schemaParts(fields: Field[], owner: Owner) {
  const property = (field: Field) => {
    const about = `description: '${meaningOf(field)}${field.type === 'string' ? '; not blank' : ''}.', examples: [${sample(field)}]`;
    const schema = typeOf(field).schema(field.args, about, meaningOf(field));
    return `  ${field.name}: ${field.isOptional ? `nullable(${schema})` : schema},`;
  };
  const isNullable = fields.some(({ isOptional }) => isOptional);
  const q = searched(fields).map(wordsOf).join(' or ');
  return {
    'schema imports': [
      'changesOf',
      'closed',
      'Id',
      ...(isNullable ? ['nullable'] : []),
      ...(owner.kind === 'organization' ? ['OrganizationParams'] : []),
      ...(owner.kind === 'user' ? ['OwnerId'] : []),
      ...(fields.some(({ type }) => type === 'enum') ? ['oneOf'] : []),
      'Timestamp',
    ].join(', '),
    properties: fields.map(property).join('\n'),
    'new properties': fields
      .map((field) =>
        isRequired(field)
          ? `    ${field.name}: properties.${field.name},`
          : `    ${field.name}: Type.Optional(properties.${field.name}),`,
      )
      .join('\n'),
    'new example': fields
      .filter(isRequired)
      .map((field) => `${field.name}: ${sample(field)}`)
      .join(', '),
    'changes example': `${fields[0]?.name}: ${fields[0] && sample(fields[0])}`,
    query: [
      ...filtered(fields).map((field) => {
        const schema = typeOf(field).schema(
          field.args,
          `description: 'Filter by ${field.name}.'`,
          `Filter by ${field.name}`,
        );
        return `  ${field.name}: Type.Optional(${schema}),`;
      }),
      ...(q
        ? [
            `  q: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'Text in the ${q}, regardless of case.' })),`,
          ]
        : []),
    ].join('\n'),
  };
}

export function routeParts(fields: Field[], { words }: { words: string }, owner: Owner) {
  const hasText = searched(fields).length > 0;
  const hasFilter = hasText || filtered(fields).length > 0;
  const duplicate = uniques(fields).length > 0 ? ['already_exists'] : [];
  const problemsOf = (codes: string[]) =>
    codes.length > 0 ? `problems: [${codes.map((code) => `'${code}'`).join(', ')}],` : '';
  const refusal = owner.kind === 'user' ? ['forbidden'] : [];
  // Every route of an organization can answer 404.
  const missing = owner.kind === 'organization' ? [] : ['not_found'];
  const concurrency = `
        // Looks at thousands of rows.
        concurrency: { name: '${words} by text', perUser: 2, when: ({ query }) => 'q' in (query as object) },`;
  return {
    'page import': hasFilter ? `import { scannedDescription } from '../http/page.ts';\n` : '',
    'list description': hasFilter ? '        description: scannedDescription,\n' : '',
    'list problems': `${problemsOf([...refusal, ...(hasText ? ['query_too_expensive'] : [])])}${hasText && !owner.isPublic ? concurrency : ''}`,
    'item problems': problemsOf([...refusal, ...missing]),
    'create problems': problemsOf([...refusal, ...(owner.kind === 'nobody' ? [] : missing), ...duplicate]),
    'update problems': problemsOf([...refusal, ...missing, ...duplicate]),
  };
}

export function serviceParts(fields: Field[], { plural, table }: { plural: string; table: string }, owner: Owner) {
  const unit = owner.isPublic
    ? 'database.public()'
    : owner.kind === 'nobody'
      ? 'database.as(scope)'
      : 'database.as(owner)';
  const duplicates = uniques(fields).map(({ name }) => `uq_${table}_${name}: '${name}'`);
  const hasText = searched(fields).length > 0;
  const names = [...filtered(fields).map(({ name }) => name), ...(searched(fields).length > 0 ? ['q'] : [])];
  const request = names.length > 0 ? `{ ...page, ${names.join(', ')} }` : 'page';
  const result = names.length > 0 ? '{ rows, scannedTo }' : '{ rows }';
  return {
    'duplicate fields':
      duplicates.length > 0
        ? `/** Constraints of unique fields. */\nconst uniqueFields = { ${duplicates.join(', ')} };\n\n`
        : '',
    'duplicate import': duplicates.length > 0 ? `import { mapDuplicates } from '../http/map-duplicates.ts';\n` : '',
    'refuse duplicates': duplicates.length > 0 ? 'mapDuplicates(uniqueFields, () => ' : '',
    'end refusal': duplicates.length > 0 ? ')' : '',
    'take filters': names.length > 0 ? `      const { ${names.join(', ')} } = query;` : '',
    'page helpers': [...(hasText ? ['listByText'] : []), 'pageFrom', 'pageRequest'].join(', '),
    'list call': hasText
      ? `      const ${result} = await listByText(${unit}, q, ({ ${plural} }) => ${plural}.list(${request}));`
      : `      const ${result} = await ${unit}.${plural}.list(${request});`,
    'page end': names.length > 0 ? ', { scannedTo }' : '',
  };
}

const filterType = (field: Field) => typeOf(field).filter?.(field.args) ?? 'never';

/** Returns an example value of the field, as code. */
export const sample = (field: Field, isOther = false): string => typeOf(field).samples(field)[isOther ? 1 : 0];
