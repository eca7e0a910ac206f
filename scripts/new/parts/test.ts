import { type Field, typeOf } from '../field-types.ts';
import { camel } from '../names.ts';
import type { Resource } from '../resource.ts';
import { createRow, filtered, isRequired, references, sample, searched, uniques, writable } from './fields.ts';
import { createWith, readerTests, referenceTests, searchParts, sortTests } from './test-of-shapes.ts';

// The parts of the test and of the rows for tests.

/** Returns a value of a field for a test, as code: an id of another row is that of a place. */
export const testSample = (field: Field, isOther = false, place = 'mine') =>
  field.target ? `${place}.${isOther ? 'otherRefs' : 'refs'}.${field.name}` : sample(field, isOther);

export function testParts(resource: Resource): Record<string, string> {
  const { names, fields, owner, parent, segment } = resource;
  const { Singular, path } = names;
  const { kind, isPublic, isWrittenByAdmins, column } = owner;
  const sent = writable(fields);
  const all = (isOther = false) => sent.map((field) => `${field.name}: ${testSample(field, isOther)}`).join(', ');
  const nothing = sent.filter(({ isOptional }) => isOptional).map(({ name }) => `${name}: null`);
  const changes = [`{ ${all(true)} }`, ...sent.map((field) => `{ ${field.name}: ${testSample(field)} }`)];
  if (nothing.length > 0) changes.push(`{ ${nothing.join(', ')} }`);
  const refs = references(fields);
  const relations = new Map(
    [...refs.map(({ target }) => target), ...(parent ? [parent] : [])].map((one) => [one.path, one]),
  );
  const newBody = refs.length > 0 ? 'newBody(place)' : 'newBody()';
  return {
    'test imports': [
      `import { ${refs.length > 0 || parent || owner.isReadByMembers ? importedForRows(resource) : `new${Singular}Body as newBody`} } from '../../testing/${path}.ts';\n`,
      ...[...relations.values()].map(
        (target) => `import { create${target.Singular} } from '../../testing/${target.path}.ts';\n`,
      ),
      ...(resource.isEmbedded ? [`import { startEmbeddingService } from '../../testing/embedding-service.ts';\n`] : []),
    ].join(''),
    'new body of place':
      refs.length > 0
        ? `/** A body with ids of rows that the owner of the place can refer to. */
const newBody = (place = mine) => ({ ...new${Singular}Body(), ${refs.map(({ name }) => `${name}: place.refs.${name}`).join(', ')} });\n`
        : '',
    'body of place': newBody,
    ...placeParts(resource),
    'expected owner': kind === 'nobody' ? '' : `    ${column}: mine.id,\n`,
    'expected more': [
      ...(parent ? [`    ${parent.column}: mine.${parent.column},\n`] : []),
      ...(owner.isReadByMembers && !parent ? ['    organization_id: null,\n'] : []),
      ...fields.filter(({ isReadOnly }) => isReadOnly).map((field) => `    ${field.name}: ${initialOf(field)},\n`),
    ].join(''),
    'own path': kind === 'user' ? `/users/\${mine.id}/${placePath(resource)}` : `\${mine.collection}`,
    'required body': fields
      .filter(isRequired)
      .map((field) => `${field.name}: ${testSample(field)}`)
      .join(', '),
    'required names': fields
      .filter(isRequired)
      .map(({ name }) => name)
      .join(', '),
    defaults: fields
      .filter((field) => !isRequired(field))
      .map((field) => `${field.name}: ${initialOf(field)}`)
      .join(', '),
    changes: changes.join(', '),
    refusals: refusalsOf(fields),
    'create with': [...filtered(fields), ...resource.sorts].some(({ isReadOnly }) => isReadOnly)
      ? `/** Creates a row with a value that no client can send. */
const createWith = async (place: Place, column: string, value: unknown) => {
  const { id } = await create(place);
  await api.database.inspect(({ queryWith }) => queryWith({}, \`update ${names.table} set \${column} = $1 where id = $2\`, [value, id]));
  return id;
};
`
      : '',
    'unique tests': uniqueTests(resource),
    'filter tests': filterTests(fields),
    'sort tests': sortTests(resource),
    'reference tests': referenceTests(resource),
    'parent tests': parent ? parentTests(resource, parent) : '',
    'end of list':
      kind === 'nobody'
        ? `    expect(ids(third)[0]).toBe(made[4]);\n`
        : `    expect([ids(third), third.next_cursor]).toEqual([made.slice(4), null]);
    const other = await newPlace();
    expectProblem(
      await send('GET', \`\${other.collection}?cursor=\${first.next_cursor}\`, undefined, other.token),
      422,
      'validation_failed',
    );\n`,
    writers: isWrittenByAdmins ? 'its admins only' : 'its members',
    'member writes': isWrittenByAdmins ? '403' : '201',
    'member changes': isWrittenByAdmins ? '403' : '200',
    readers: isPublic ? 'all' : 'all who are signed in',
    'guest reads': isPublic ? '200' : '401',
    'and of public reads': isPublic ? ' and of public reads' : '',
    segment,
    ...readerTests(resource),
    ...searchParts(resource),
  };
}

const importedForRows = ({ names, fields, owner, parent }: Resource) =>
  [
    ...(owner.isReadByMembers && !parent ? [`create${names.Singular}`] : []),
    references(fields).length > 0 ? `new${names.Singular}Body` : `new${names.Singular}Body as newBody`,
  ].join(', ');

/** Returns the value of a new row without the field, as code. */
const initialOf = (field: Field) =>
  field.default === undefined ? 'null' : typeOf(field).default?.(field.default, field.args)?.json;

/** Returns the path of the list after that of the owner, as the inside of a template. */
const placePath = ({ parent, segment }: Resource) =>
  parent ? `${parent.path}/\${mine.${parent.column}}/${segment}` : segment;

function placeParts({ fields, owner, parent, segment }: Resource) {
  const refs = references(fields);
  const ownerVariable = 'owner';
  const rows = (name: string) =>
    refs.length > 0
      ? `  const ${name} = { ${refs.map((field) => `${field.name}: (${createRow(field.target, ownerVariable)}).id`).join(', ')} };\n`
      : '';
  const parentRow = parent ? `  const ${parent.singular} = ${createRow(parent, ownerVariable)};\n` : '';
  const base = { user: '/users/me', organization: `\${owner.base}`, nobody: '' }[owner.kind];
  return {
    'place rows': rows('refs') + rows('otherRefs') + parentRow,
    'place collection': parent ? `\${${parent.singular}.path}/${segment}` : `${base}/${segment}`,
    'place values': [
      ...(refs.length > 0 ? [', refs, otherRefs'] : []),
      ...(parent ? [`, ${parent.column}: ${parent.singular}.id`] : []),
    ].join(''),
    'place path': parent ? `${parent.path}/\${mine.${parent.column}}/${segment}` : segment,
    'place argument': parent ? `mine.${parent.column}, ` : '',
    'other place argument': parent ? `place.${parent.column}, ` : '',
    'list of a stranger': parent
      ? `    expectProblem(await send('GET', mine.collection, undefined, stranger.token), 404, 'not_found');\n`
      : `    expect((await send('GET', mine.collection, undefined, stranger.token)).json().items).toEqual([]);\n`,
  };
}

function refusalsOf(fields: Field[]): string {
  return fields
    .flatMap((field) => {
      const refuse = (what: string, value: string) =>
        `  ['${field.name}: ${what}', { ${field.name}: ${value} }, '/${field.name}'],`;
      if (field.isReadOnly) return [refuse('read only', sample(field))];
      return [
        ...(isRequired(field) ? [refuse('missing', 'undefined')] : []),
        ...(field.isOptional ? [] : [refuse('null', 'null')]),
        refuse('of another type', '[]'),
        ...typeOf(field)
          .refused(field.args)
          .map(([what, value]) => refuse(what, value)),
      ];
    })
    .join('\n');
}

function filterTests(fields: Field[]): string {
  const filters = filtered(fields).map((field) => {
    const { name } = field;
    return `    const value = ${testSample(field, false, 'place')};
    const with_${name} = ${createWith(field, 'value')};
    const without_${name} = ${createWith(field, testSample(field, true, 'place'))};
    const found = ids(await list(place, \`${name}=\${encodeURIComponent(String(value))}&limit=200\`));
    expect(found).toContain(with_${name});
    expect(found).not.toContain(without_${name});`;
  });
  const searches = searched(writable(fields)).map(
    ({ name }) => `    const ${camel(name)} = await create(place, { ${name}: 'Buy 100% WOOL' });
    await create(place, { ${name}: 'Buy 1000 nails' });
    for (const q of ['100%25', 'wool']) expect(ids(await list(place, \`q=\${q}\`))).toEqual([${camel(name)}.id]);
    await send('DELETE', \`\${place.collection}/\${${camel(name)}.id}\`, undefined, place.token);`,
  );
  const tests = (name: string, bodies: string[]) =>
    bodies.map(
      (body, place) => `
  test('${name}: ${(name === 'is filtered' ? filtered(fields) : searched(writable(fields)))[place]?.name}', async () => {
    const place = await newPlace();
${body}
  });`,
    );
  return [...tests('is filtered', filters), ...tests('is searched', searches)].join('\n');
}

function uniqueTests({ fields, owner }: Resource): string {
  const other = references(fields).length > 0 ? 'newBody(other)' : 'newBody()';
  const elsewhere = (name: string) =>
    owner.kind === 'nobody'
      ? ''
      : `
  const other = await newPlace();
  expect((await send('POST', other.collection, { ...${other}, ${name}: body.${name} }, other.token)).statusCode).toBe(201);`;
  return uniques(fields)
    .map(
      ({ name }) => `
test('${name} is unique${owner.kind === 'nobody' ? '' : ' for each owner'}', async () => {
  const body = newBody();
  expect((await send('POST', mine.collection, body)).statusCode).toBe(201);
  expectProblem(await send('POST', mine.collection, { ...newBody(), ${name}: body.${name} }), 409, 'already_exists');
  const { id } = await create();
  expectProblem(await send('PATCH', \`\${mine.collection}/\${id}\`, { ${name}: body.${name} }), 409, 'already_exists');${elsewhere(name)}
});`,
    )
    .join('\n');
}

function parentTests({ names, owner, segment }: Resource, parent: NonNullable<Resource['parent']>): string {
  const another = createRow(parent, 'mine');
  const word = parent['singular words'];
  return `
describe('${names['plural words']} under ${parent['a singular']}', () => {
  test('are found under no other one', async () => {
    const { id } = await create();
    const other = ${another};
    for (const [method, body] of [['GET'], ['PATCH', {}], ['DELETE']] as [string, object?][])
      expectProblem(await send(method, \`\${other.path}/${segment}/\${id}\`, body), 404, 'not_found');
    expect((await send('GET', \`\${other.path}/${segment}\`)).json().items).toEqual([]);
    expect((await send('GET', \`\${mine.collection}/\${id}\`)).json()).toMatchObject({ id });
  });

  test('cannot be listed or created under a missing ${word}', async () => {
    const collection = \`${owner.kind === 'nobody' ? '' : owner.kind === 'user' ? '/users/me' : `\${mine.base}`}/${parent.path}/\${nobody}/${segment}\`;
    expectProblem(await send('GET', collection), 404, 'not_found');
    expectProblem(await send('POST', collection, newBody()), 404, 'not_found');
  });

  test('disappear with their ${word}', async () => {
    const place = await newPlace();
    const { id } = await create(place);
    const path = place.collection.replace(/\\/[^/]+$/, '');
    expect((await send('DELETE', path, undefined, place.token)).statusCode).toBe(204);
    const { rows } = await api.database.inspect(({ query }) => query('select id from ${names.table} where id = $1', [id]));
    expect(rows).toEqual([]);
  });
});
`;
}
