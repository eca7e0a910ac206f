import type { Field } from './resource.ts';

// What in the templates depends on the fields, as code.

const searched = (fields: Field[]) => fields.filter(({ type }) => type === 'string' || type === 'text');
/** A list is filtered by what is true or false. */
const filtered = (fields: Field[]) => fields.filter(({ type }) => type === 'boolean');
const isRequired = ({ type, isOptional }: Field) => !isOptional && type !== 'boolean';
const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
const wordsOf = ({ name }: Field) => name.replaceAll('_', ' ');
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** What a field says, as a sentence without its full stop. */
function meaningOf(field: Field): string {
  if (field.type !== 'boolean') return `The ${wordsOf(field)}`;
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
    timestamp: "p.datetime().columnType('timestamptz')",
  };
  const columns = fields.map((field) => {
    const extra = field.isOptional ? '.nullable()' : field.type === 'boolean' ? '.default(false)' : '';
    const says = `${meaningOf(field)}${field.type === 'string' && !field.isOptional ? '; never blank' : ''}.`;
    return `    ${field.name}: ${column[field.type]}${extra}.comment('${says}'),`;
  });
  return { columns: columns.join('\n') };
}

export function repositoryParts(fields: Field[], Singular: string) {
  const filters = filtered(fields);
  const hasText = searched(fields).length > 0;
  const hasFilter = filters.length > 0 || hasText;
  const properties = [
    ...filters.map(({ name }) => `  ${name}?: boolean | undefined;`),
    ...(hasText
      ? [
          `  /** A part of the ${searched(fields).map(wordsOf).join(' or the ')}, in any case. */`,
          '  q?: string | undefined;',
        ]
      : []),
  ];
  const likes = searched(fields).map(({ name }) => `isLike('${name}', pattern)`);
  const like = likes.length > 1 ? `(where) => where.or([${likes.join(', ')}])` : likes[0];
  const given = (field: Field) => `${field.name}${isRequired(field) ? '' : '?'}: ${tsType(field)}`;
  // Parameters that may be left out come last.
  const ordered = [...fields].sort((one, other) => Number(isRequired(other)) - Number(isRequired(one)));
  return {
    'page imports': [...(hasText ? ['containing', 'isLike'] : []), 'type PageRequest', 'paged'].join(', '),
    'quoted fields': fields.map(({ name }) => `'${name}'`).join(', '),
    'filter type': hasFilter ? `export interface ${Singular}Filter {\n${properties.join('\n')}\n}` : '',
    'list argument': hasFilter ? `${Singular}Filter & PageRequest` : 'PageRequest',
    'list parameters': [
      ...filters.map(({ name }) => `    ${camel(name)}: boolean | undefined,`),
      ...(hasText ? ['    pattern: string | undefined,'] : []),
    ].join('\n'),
    'declare query': hasFilter ? 'let' : 'const',
    'list conditions': [
      ...filters.map(
        ({ name }) => `    if (${camel(name)} !== undefined) query = query.where('${name}', '=', ${camel(name)});`,
      ),
      ...(hasText ? [`    if (pattern !== undefined)\n      query = query.where(${like});`] : []),
    ].join('\n'),
    'list fields': [...filters.map(({ name }) => `, ${name}`), ...(hasText ? [', q'] : [])].join(''),
    'list values': [
      ...filters.map(({ name }) => `, ${name}`),
      ...(hasText ? [', q === undefined ? undefined : containing(q)'] : []),
    ].join(''),
    'create parameters': ordered.map(given).join(', '),
    fields: ordered.map(({ name }) => name).join(', '),
  };
}

function tsType({ type, isOptional }: Field): string {
  const name = {
    string: 'string',
    text: 'string',
    boolean: 'boolean',
    integer: 'number',
    number: 'number',
    timestamp: 'Date',
  }[type];
  return isOptional ? `${name} | null` : name;
}

export function schemaParts(fields: Field[]) {
  const property = (field: Field) => {
    const says = `description: '${meaningOf(field)}${field.type === 'string' ? '. Not blank; kept as it is' : ''}.', examples: [${sample(field)}]`;
    const schema = {
      string: `Type.String({ minLength: 1, maxLength: 200, pattern: '\\\\S', ${says} })`,
      text: `Type.String({ maxLength: 10_000, ${says} })`,
      boolean: `Type.Boolean({ ${says} })`,
      integer: `Type.Integer({ minimum: -2_147_483_648, maximum: 2_147_483_647, ${says} })`,
      number: `Type.Number({ ${says} })`,
      timestamp: `Timestamp('${meaningOf(field)}.')`,
    }[field.type];
    return `  ${field.name}: ${field.isOptional ? `nullable(${schema})` : schema},`;
  };
  const isNullable = fields.some(({ isOptional }) => isOptional);
  const q = searched(fields).map(wordsOf).join(' or the ');
  return {
    'schema imports': ['changesOf', 'closed', 'Id', ...(isNullable ? ['nullable'] : []), 'Timestamp'].join(', '),
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
        ({ name }) => `  ${name}: Type.Optional(Type.Boolean({ description: 'Only those that are, or are not.' })),`,
      ),
      ...(q
        ? [
            `  q: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'A part of the ${q}, in any case.' })),`,
          ]
        : []),
    ].join('\n'),
  };
}

export function serviceParts(fields: Field[]) {
  const names = [...filtered(fields).map(({ name }) => name), ...(searched(fields).length > 0 ? ['q'] : [])];
  return {
    'take filters': names.length > 0 ? `      const { ${names.join(', ')} } = query;` : '',
    'list request': names.length > 0 ? `{ ...page, ${names.join(', ')} }` : 'page',
    'is quick': [...names.reverse().map((name) => `${name} === undefined`), 'page.skip === undefined'].join(' && '),
  };
}

/** A value of the field, as code: an example, or another one. */
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
        timestamp: [refuse('no moment', "'yesterday'"), refuse('on a day that is none', "'2026-02-30T00:00:00Z'")],
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
