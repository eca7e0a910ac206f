import { type Field, typeOf } from './field-types.ts';
import type { Owner } from './owner-parts.ts';
import { filtered, isRequired, sample, searched, uniques } from './resource-parts.ts';

// The parts of the test that depend on the fields.

const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

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
