import { filteredList, plainList } from './list-parts.ts';

// The parts of the templates that depend on the fields.

export const fieldTypes = ['string', 'text', 'boolean', 'integer', 'number', 'timestamp'] as const;

export interface Field {
  name: string;
  type: (typeof fieldTypes)[number];
  /** Whether the field may be null. */
  isOptional: boolean;
}

const searched = (fields: Field[]) => fields.filter(({ type }) => type === 'string' || type === 'text');
const filtered = (fields: Field[]) => fields.filter(({ type }) => type === 'boolean');
const isRequired = ({ type, isOptional }: Field) => !isOptional && type !== 'boolean';
const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
const wordsOf = ({ name }: Field) => name.replaceAll('_', ' ');
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** Describes a field, without a full stop. */
function meaningOf(field: Field): string {
  if (field.type !== 'boolean') return capital(wordsOf(field));
  const [, verb = 'is', rest] = /^(?:(is|has) )?(.*)$/.exec(wordsOf(field)) ?? [];
  return `Whether it ${verb} ${rest}`;
}

export function entityParts(fields: Field[]) {
  const column: Record<Field['type'], string> = {
    string: 'p.string().length(200)',
    text: 'p.text()',
    boolean: 'p.boolean()',
    integer: 'p.integer()',
    number: "p.float().columnType('double precision')",
    timestamp: 'timestamp()',
  };
  const columns = fields.map((field) => {
    const extra = field.isOptional ? '.nullable()' : field.type === 'boolean' ? '.default(false)' : '';
    const comment = `${meaningOf(field)}${field.type === 'string' && !field.isOptional ? '; not blank' : ''}.`;
    return `    ${field.name}: ${column[field.type]}${extra}.comment('${comment}'),`;
  });
  return {
    columns: columns.join('\n'),
    'column imports': fields.some(({ type }) => type === 'timestamp') ? 'timestamp, ' : '',
  };
}

export function repositoryParts(fields: Field[], { Singular, table }: { Singular: string; table: string }) {
  const filters = filtered(fields);
  const hasText = searched(fields).length > 0;
  const hasFilter = filters.length > 0 || hasText;
  const names = [...filters.map(({ name }) => name), ...(hasText ? ['q'] : [])];
  const properties = [
    ...filters.map(({ name }) => `  ${name}?: boolean | undefined;`),
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
    list: hasFilter ? filteredList(Singular, table, names, conditions) : plainList(table),
  };
}

export function schemaParts(fields: Field[]) {
  const property = (field: Field) => {
    const about = `description: '${meaningOf(field)}${field.type === 'string' ? '; not blank' : ''}.', examples: [${sample(field)}]`;
    const schema = {
      string: `Type.String({ minLength: 1, maxLength: 200, pattern: '\\\\S', ${about} })`,
      text: `Type.String({ maxLength: 10_000, ${about} })`,
      boolean: `Type.Boolean({ ${about} })`,
      integer: `Type.Integer({ minimum: -2_147_483_648, maximum: 2_147_483_647, ${about} })`,
      number: `Type.Number({ ${about} })`,
      timestamp: `Timestamp('${meaningOf(field)}.')`,
    }[field.type];
    return `  ${field.name}: ${field.isOptional ? `nullable(${schema})` : schema},`;
  };
  const isNullable = fields.some(({ isOptional }) => isOptional);
  const q = searched(fields).map(wordsOf).join(' or ');
  return {
    'schema imports': ['changesOf', 'closed', 'Id', ...(isNullable ? ['nullable'] : []), 'OwnerId', 'Timestamp'].join(
      ', ',
    ),
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
      ...filtered(fields).map(
        ({ name }) => `  ${name}: Type.Optional(Type.Boolean({ description: 'Filter by ${name}.' })),`,
      ),
      ...(q
        ? [
            `  q: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'Text in the ${q}, regardless of case.' })),`,
          ]
        : []),
    ].join('\n'),
  };
}

export function routeParts(fields: Field[], { path, words }: { path: string; words: string }) {
  const hasText = searched(fields).length > 0;
  const hasFilter = hasText || filtered(fields).length > 0;
  return {
    'page import': hasFilter ? `import { scannedDescription } from '../http/page.ts';\n` : '',
    'list description': hasFilter ? '        description: scannedDescription,\n' : '',
    'list config': hasText
      ? `      config: {
        requiredScope: '${path}:read',
        problems: ['forbidden', 'query_too_expensive'],
        // Looks at thousands of rows.
        concurrency: { name: '${words} by text', perUser: 2, when: ({ query }) => 'q' in (query as object) },
      },\n`
      : `      config: { requiredScope: '${path}:read', problems: ['forbidden'] },\n`,
  };
}

export function serviceParts(fields: Field[], { plural }: { plural: string }) {
  const hasText = searched(fields).length > 0;
  const names = [...filtered(fields).map(({ name }) => name), ...(searched(fields).length > 0 ? ['q'] : [])];
  const request = names.length > 0 ? `{ ...page, ${names.join(', ')} }` : 'page';
  const result = names.length > 0 ? '{ rows, scannedTo }' : '{ rows }';
  return {
    'take filters': names.length > 0 ? `      const { ${names.join(', ')} } = query;` : '',
    'page helpers': [...(hasText ? ['listByText'] : []), 'pageFrom', 'pageRequest'].join(', '),
    'list call': hasText
      ? `      const ${result} = await listByText(database.as(owner), q, ({ ${plural} }) => ${plural}.list(${request}));`
      : `      const ${result} = await database.as(owner).${plural}.list(${request});`,
    'page end': names.length > 0 ? ', { scannedTo }' : '',
  };
}

/** Returns an example value of the field, as code. */
function sample({ name, type }: Field, isOther = false): string {
  const text = capital(name.replaceAll('_', ' '));
  return {
    string: isOther ? `'Another ${text.toLowerCase()}'` : `'${text}'`,
    text: isOther ? `'More ${text.toLowerCase()}'` : `'${text}, at length'`,
    boolean: isOther ? 'false' : 'true',
    integer: isOther ? '-7' : '42',
    number: isOther ? '-0.25' : '1.5',
    timestamp: isOther ? "'2031-02-03T04:05:06.789Z'" : "'2026-11-20T09:30:00.000Z'",
  }[type];
}

export function testParts(fields: Field[]) {
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
      ...{
        string: [
          refuse('blank', "' \\n\\t'"),
          refuse('of 201 characters', "'🧱'.repeat(201)"),
          refuse('with a NUL', "'x\\0'"),
        ],
        text: [refuse('of 10,001 characters', "'x'.repeat(10_001)"), refuse('with a NUL', "'x\\0'")],
        boolean: [refuse('as a text', "'true'")],
        integer: [refuse('a fraction', '0.5'), refuse('out of range', '2 ** 31')],
        number: [refuse('as a text', "'1'")],
        timestamp: [refuse('a word', "'yesterday'"), refuse('30 February', "'2026-02-30T00:00:00Z'")],
      }[field.type],
    ];
  });
  return {
    'whole body': all(),
    'required body': fields
      .filter(isRequired)
      .map((field) => `${field.name}: ${sample(field)}`)
      .join(', '),
    defaults: optional.map(({ name, isOptional }) => `${name}: ${isOptional ? 'null' : 'false'}`).join(', '),
    changes: changes.join(', '),
    refusals: refusals.join('\n'),
    'filter tests': filterTests(fields),
  };
}

function filterTests(fields: Field[]): string {
  const filters = filtered(fields).map(
    ({ name }) => `    const { id: with_${name} } = await create(token, { ${name}: true });
    const { id: without_${name} } = await create(token, { ${name}: false });
    const [areSo, areNot] = [await list(token, '${name}=true&limit=200'), await list(token, '${name}=false&limit=200')];
    expect(ids(areSo)).toContain(with_${name});
    expect(ids(areSo)).not.toContain(without_${name});
    expect(ids(areNot)).toContain(without_${name});
    expect(ids(areNot)).not.toContain(with_${name});`,
  );
  const searches = searched(fields).map(
    ({ name }) => `    const ${camel(name)} = await create(token, { ${name}: 'Buy 100% WOOL' });
    await create(token, { ${name}: 'Buy 1000 nails' });
    for (const q of ['100%25', 'wool']) expect(ids(await list(token, \`q=\${q}\`))).toEqual([${camel(name)}.id]);
    await send('DELETE', \`\${collection}/\${${camel(name)}.id}\`, undefined, token);`,
  );
  const tests = (name: string, bodies: string[]) =>
    bodies.map(
      (body, place) => `
  test('${name}: ${(name === 'is filtered' ? filtered(fields) : searched(fields))[place]?.name}', async () => {
    const { token } = await api.signUp();
${body}
  });`,
    );
  return [...tests('is filtered', filters), ...tests('is searched', searches)].join('\n');
}
