import { type Field, typeOf } from './field-types.ts';
import { filteredList, plainList } from './list-parts.ts';
import type { Owner } from './owner-parts.ts';

// The parts of the templates that depend on the fields.

const searched = (fields: Field[]) => fields.filter((field) => typeOf(field).isSearched);
/** Fields that lists are filtered by: every boolean, and what `--filter` names. */
const filtered = (fields: Field[]) => fields.filter(({ type, isFiltered }) => type === 'boolean' || isFiltered);
const uniques = (fields: Field[]) => fields.filter(({ isUnique }) => isUnique);
const isRequired = ({ isOptional, default: value }: Field) => !isOptional && value === undefined;
const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
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
    'list problems': `${problemsOf([...refusal, ...(hasText && !owner.isPublic ? ['query_too_expensive'] : [])])}${hasText && !owner.isPublic ? concurrency : ''}`,
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
    'duplicate import': duplicates.length > 0 ? `import { refusingDuplicates } from '../http/duplicates.ts';\n` : '',
    'refuse duplicates': duplicates.length > 0 ? 'refusingDuplicates(uniqueFields, () => ' : '',
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
const sample = (field: Field, isOther = false): string => typeOf(field).samples(field)[isOther ? 1 : 0];

export function testParts(fields: Field[], owner: Owner) {
  const all = (isOther = false) => fields.map((field) => `${field.name}: ${sample(field, isOther)}`).join(', ');
  const optional = fields.filter((field) => !isRequired(field));
  const nothing = fields.filter(({ isOptional }) => isOptional).map(({ name }) => `${name}: null`);
  const changes = [`{ ${all(true)} }`, ...fields.map((field) => `{ ${field.name}: ${sample(field)} }`)];
  if (nothing.length > 0) changes.push(`{ ${nothing.join(', ')} }`);
  const refusals = fields.flatMap((field) => {
    const refuse = (what: string, value: string) =>
      `  ['${field.name}: ${what}', { ${field.name}: ${value} }, '/${field.name}'],`;
    return [
      ...(isRequired(field) ? [refuse('missing', 'undefined')] : []),
      ...(field.isOptional ? [] : [refuse('null', 'null')]),
      refuse('of another type', '[]'),
      ...typeOf(field)
        .refused(field.args)
        .map(([what, value]) => refuse(what, value)),
    ];
  });
  return {
    'whole body': all(),
    'required body': fields
      .filter(isRequired)
      .map((field) => `${field.name}: ${sample(field)}`)
      .join(', '),
    defaults: optional
      .map((field) => {
        const value = field.default === undefined ? 'null' : typeOf(field).default?.(field.default, field.args)?.json;
        return `${field.name}: ${value}`;
      })
      .join(', '),
    'new body': fields
      .filter(isRequired)
      .map((field) => `${field.name}: ${(field.isUnique && typeOf(field).unique?.(field)) || sample(field)}`)
      .join(', '),
    'new body function': newBodyFunction(fields),
    count: uniques(fields).length > 0 ? '  n += 1;\n' : '',
    'unique tests': uniqueTests(fields, owner),
    changes: changes.join(', '),
    refusals: refusals.join('\n'),
    'filter tests': filterTests(fields),
  };
}

function newBodyFunction(fields: Field[]): string {
  if (uniques(fields).length === 0) return 'const newBody = () => whole;';
  const values = uniques(fields).map((field) => `${field.name}: ${typeOf(field).unique?.(field)}`);
  return `let n = 0;
/** Returns a body whose unique fields no other row has. */
const newBody = () => {
  n += 1;
  return { ...whole, ${values.join(', ')} };
};`;
}

function filterTests(fields: Field[]): string {
  const filters = filtered(fields).map((field) => {
    const { name } = field;
    return `    const value = ${sample(field)};
    const { id: with_${name} } = await create(place, { ${name}: value });
    const { id: without_${name} } = await create(place, { ${name}: ${sample(field, true)} });
    const found = ids(await list(place, \`${name}=\${encodeURIComponent(String(value))}&limit=200\`));
    expect(found).toContain(with_${name});
    expect(found).not.toContain(without_${name});`;
  });
  const searches = searched(fields).map(
    ({ name }) => `    const ${camel(name)} = await create(place, { ${name}: 'Buy 100% WOOL' });
    await create(place, { ${name}: 'Buy 1000 nails' });
    for (const q of ['100%25', 'wool']) expect(ids(await list(place, \`q=\${q}\`))).toEqual([${camel(name)}.id]);
    await send('DELETE', \`\${place.collection}/\${${camel(name)}.id}\`, undefined, place.token);`,
  );
  const tests = (name: string, bodies: string[]) =>
    bodies.map(
      (body, place) => `
  test('${name}: ${(name === 'is filtered' ? filtered(fields) : searched(fields))[place]?.name}', async () => {
    const place = await newPlace();
${body}
  });`,
    );
  return [...tests('is filtered', filters), ...tests('is searched', searches)].join('\n');
}

function uniqueTests(fields: Field[], owner: Owner): string {
  const elsewhere =
    owner.kind === 'nobody'
      ? ''
      : `
  const other = await newPlace();
  expect((await send('POST', other.collection, body, other.token)).statusCode).toBe(201);`;
  return uniques(fields)
    .map(
      ({ name }) => `
test('${name} is unique${owner.kind === 'nobody' ? '' : ' for each owner'}', async () => {
  const body = newBody();
  expect((await send('POST', mine.collection, body)).statusCode).toBe(201);
  expectProblem(await send('POST', mine.collection, { ...newBody(), ${name}: body.${name} }), 409, 'already_exists');
  const { id } = await create();
  expectProblem(await send('PATCH', \`\${mine.collection}/\${id}\`, { ${name}: body.${name} }), 409, 'already_exists');${elsewhere}
});`,
    )
    .join('\n');
}
