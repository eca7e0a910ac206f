import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Field, typeOf } from '../field-types.ts';
import { camel, type Names } from '../names.ts';
import type { Resource } from '../resource.ts';
import { createRow, isRequired, references, relationOf, sample, searched } from './fields.ts';

// The parts of the test for relations, orders, readers and searches by meaning.

export function referenceTests({ names, fields, owner }: Pick<Resource, 'names' | 'fields' | 'owner'>): string {
  return references(fields)
    .map((field) => {
      const relation = relationOf(field);
      const row = createRow(field.target, 'mine');
      const foreign =
        owner.kind !== 'nobody' && field.target.kind === owner.kind
          ? `
  const foreign = ${createRow(field.target, 'await newPlace()')};
  expectProblem(await send('POST', mine.collection, { ...newBody(), ${field.name}: foreign.id }), 422, 'validation_failed');`
          : '';
      return `
test('${field.name} must be the id of a row${foreign ? ' of the same owner' : ''}', async () => {
  const { errors } = expectProblem(
    await send('POST', mine.collection, { ...newBody(), ${field.name}: nobody }),
    422,
    'validation_failed',
  );
  expect(errors?.[0]).toMatchObject({ in: 'body', pointer: '/${field.name}' });
  const { id } = await create();
  expectProblem(await send('PATCH', \`\${mine.collection}/\${id}\`, { ${field.name}: nobody }), 422, 'validation_failed');${foreign}
});

test('the ${relation.replaceAll('_', ' ')} of ${names['a singular']} cannot be deleted', async () => {
  const row = ${row};
  const { id } = await create(mine, { ${field.name}: row.id });
  expectProblem(await api.send('DELETE', row.path, { token: row.token }), 409, 'in_use');
  await send('DELETE', \`\${mine.collection}/\${id}\`);
  expect((await api.send('DELETE', row.path, { token: row.token })).statusCode).toBe(204);
});
`;
    })
    .join('');
}

/** Returns the test of a field that is added to a resource. */
export const fieldTest = (
  field: Field,
  names: Names,
): string => `test('${field.name} of ${names['a singular']} can be changed', async () => {
  const { id } = await create();
  for (const ${camel(field.name)} of [${sample(field, true)}, ${sample(field)}${field.isOptional ? ', null' : ''}]) {
    const changed = await send('PATCH', \`\${mine.collection}/\${id}\`, { ${field.name}${camel(field.name) === field.name ? '' : `: ${camel(field.name)}`} });
    expect(changed.json().${field.name}).toEqual(${camel(field.name)});
  }
  for (const wrong of [${[
    '[]',
    ...typeOf(field)
      .refused(field.args)
      .map(([, value]) => value),
  ].join(', ')}])
    expectProblem(await send('PATCH', \`\${mine.collection}/\${id}\`, { ${field.name}: wrong }), 422, 'validation_failed');
});
`;

/** Whether the first sample of a field comes before the second one. */
function isAscending(field: Field): boolean {
  const [first, second] = typeOf(field)
    .samples(field)
    .map((code) => code.replace(/^'|'$/g, ''));
  const isNumber = ['integer', 'bigint', 'number', 'decimal'].includes(field.type);
  return isNumber ? Number(first) < Number(second) : String(first).toLowerCase() < String(second).toLowerCase();
}

/** Returns the call that creates a row with a value of a field, as code: its id. No client writes a read-only field. */
export const createWith = (field: Field, value: string) =>
  field.isReadOnly
    ? `await createWith(place, '${field.name}', ${value})`
    : `(await create(place, { ${field.name}${field.name === value ? '' : `: ${value}`} })).id`;

export function sortTests({ sorts, owner, parent }: Resource): string {
  // Rows of nobody are in one list, with those of other tests.
  const isShared = owner.kind === 'nobody' && !parent;
  const own = isShared ? '.filter((id) => made.includes(id))' : '';
  return sorts
    .map((field) => {
      const [low, high] = isAscending(field)
        ? [sample(field), sample(field, true)]
        : [sample(field, true), sample(field)];
      const values = [high, low, high, ...(field.isOptional ? ['null'] : []), low];
      const order = field.isOptional ? '[1, 4, 0, 2, 3]' : '[1, 3, 0, 2]';
      return `
  test('is sorted: ${field.name}', async () => {
    const place = await newPlace();
    const made: string[] = [];
    for (const ${field.name} of [${values.join(', ')}]) made.push(${createWith(field, field.name)});
    const ascending = ${order}.map((index) => made[index]);
    for (const [sort, expected] of [['${field.name}', ascending], ['-${field.name}', ascending.toReversed()]] as const) {
      expect(ids(await list(place, \`sort=\${sort}&limit=200\`))${own}).toEqual(expected);
      const seen: string[] = [];
      for (let cursor = ''; ; ) {
        const page = await list(place, \`sort=\${sort}&limit=2\${cursor}\`);
        seen.push(...ids(page));
        if (page.next_cursor === null) break;
        cursor = \`&cursor=\${page.next_cursor}\`;
      }
      expect(seen${own}).toEqual(expected);
      const { next_cursor } = await list(place, \`sort=\${sort}&limit=1\`);
      for (const query of [\`cursor=\${next_cursor}\`, \`sort=\${sort}&cursor=AAAA\`, 'sort=id'])
        expectProblem(await send('GET', \`\${place.collection}?\${query}\`, undefined, place.token), 422, 'validation_failed');
    }
  });
`;
    })
    .join('');
}

/** Returns the tests of those who only read, from their templates. */
export function readerTests(resource: Resource): Record<string, string> {
  const { names, owner, parent, segment } = resource;
  const place = parent ? `${parent.path}/\${mine.${parent.column}}/${segment}` : segment;
  const values: Record<string, string> = {
    ...names,
    'public path': `/${place}`,
    'place argument': parent ? `mine.${parent.column}, ` : '',
    'shared row': sharedRow(resource),
    'shared path': parent ? `${parent.path}/\${${parent.singular}.id}/${segment}` : segment,
    'sharing test': parent ? '' : sharingTest(),
  };
  const isPublic = owner.isPublic && owner.kind !== 'nobody';
  return {
    'reader tests': [
      ...(isPublic ? [fill('test-public', values)] : []),
      ...(owner.isReadByMembers ? [fill('test-members', values)] : []),
    ].join(''),
  };
}

const fill = (template: string, values: Record<string, string>) =>
  readFileSync(join(import.meta.dirname, '../templates', `${template}.template`), 'utf8').replace(
    /\{\{([A-Za-z][\w ]*)\}\}/g,
    (_, name: string) => {
      const value = values[name];
      if (value === undefined) throw new Error(`${template}.template: there is no ${name}`);
      return value;
    },
  );

function sharedRow({ names, fields, parent, segment }: Resource): string {
  if (!parent) return `    const row = await create${names.Singular}(api, owner, { organization_id: team.id });`;
  const refs = references(fields).map((field) => `${field.name}: (${createRow(field.target, 'owner')}).id`);
  const body = refs.length > 0 ? `{ ...new${names.Singular}Body(), ${refs.join(', ')} }` : 'newBody()';
  return `    const ${parent.singular} = await create${parent.Singular}(api, owner, { organization_id: team.id });
    const created = await send('POST', \`\${${parent.singular}.path}/${segment}\`, ${body}, owner.token);
    const { id } = created.json() as { id: string };
    const row = { id, path: \`\${${parent.singular}.path}/${segment}/\${id}\`, token: owner.token };`;
}

const sharingTest = () => `
  test('are shared only while their owner is a member', async () => {
    const { team, owner, row, collection } = await share();
    const own = async () => (await send('GET', row.path, undefined, owner.token)).json().organization_id;
    expect(await own()).toBe(team.id);
    await send('PATCH', row.path, { organization_id: null }, owner.token);
    expectProblem(await send('GET', \`\${collection}/\${row.id}\`, undefined, team.owner.token), 404, 'not_found');
    await send('PATCH', row.path, { organization_id: team.id }, owner.token);
    await send('DELETE', \`\${team.path}/members/me\`, undefined, owner.token);
    expect(await own()).toBeNull();
    const { errors } = expectProblem(
      await send('PATCH', row.path, { organization_id: team.id }, owner.token),
      422,
      'validation_failed',
    );
    expect(errors?.[0]).toMatchObject({ pointer: '/organization_id' });
    expectProblem(await send('POST', mine.collection, { ...newBody(), organization_id: team.id }), 422, 'validation_failed');
  });
`;

/** Returns the parts of test-search.template. */
export function searchParts({ fields, isEmbedded, owner, names }: Resource): Record<string, string> {
  if (!isEmbedded) return { 'search tests': '' };
  const field = searched(fields).find(isRequired) ?? searched(fields)[0];
  if (!field) return { 'search tests': '' };
  return {
    'search tests': fill('test-search', {
      ...names,
      'search field': field.name,
      'search value': sample(field),
      'search other': sample(field, true),
      'search query': sample(field),
      'search stranger':
        owner.kind === 'nobody' ? '' : `      await create(await newPlace(), { ${field.name}: ${sample(field)} });\n`,
    }),
  };
}
