import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { UsageError } from '@quoin/db/command';
import { allOrNothing, type Run, step } from './command.ts';
import { type Addition, addLine } from './insert-lines.ts';
import { namesOf, parseResource, type Resource, type ResourceOptions, resourceFiles } from './resource.ts';

const anchor = '// Above this line `npm run new -- resource` adds its own.';
const generated = ['docs/schema.md', 'packages/client/src/openapi.d.ts', 'packages/db/src/schema/tables.ts'];
const placeholder = 'Does old code keep working on the new schema? Say so here, and why: both run during a deployment.';

/**
 * Adds a resource to this repository, with everything that is generated from it. If anything fails, nothing changes.
 *
 * @throws UsageError
 */
export async function makeResource(texts: string[], options: ResourceOptions): Promise<void> {
  const resource = parseResource(texts, options);
  const { path, table, 'plural words': words } = namesOf(resource);
  const files = resourceFiles(resource);
  const wired = wiring(resource);
  const there = [...files.keys()].find((file) => existsSync(file));
  const tables = globSync('packages/db/src/schema/*.ts').map((file) => readFileSync(file, 'utf8'));
  if (there || existsSync(`apps/api/src/${path}`) || tables.some((text) => text.includes(`tableName: '${table}'`)))
    throw new UsageError(`${path} exists already${there ? `: ${there}` : ''}`);

  const before = new Map([...wired.keys(), ...generated].map((file) => [file, readFileSync(file, 'utf8')]));
  const migrations = () => globSync('packages/db/src/migrations/*.sql').sort();
  const known = migrations();
  const add = async (run: Run) => {
    step('writing the files');
    for (const [file, text] of files) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    for (const [file, additions] of wired) for (const addition of additions) addLine(file, addition);
    const biome = 'node_modules/.bin/biome';
    await run(biome, ['check', '--write', ...files.keys(), ...wired.keys()]);

    step('generating the migration, the table types and docs/schema.md');
    await run(process.execPath, ['apps/api/src/commands/db.ts', 'generate', '-m', `Add ${words}`]);
    const written = migrations().filter((file) => !known.includes(file));
    for (const file of written)
      writeFileSync(file, readFileSync(file, 'utf8').replace(placeholder, 'Old code keeps working: the table is new.'));

    step('generating the client');
    await run('npm', ['run', '-s', 'client']);

    const all = [...files.keys(), ...written, ...wired.keys(), ...generated];
    process.stdout.write(`${all.map((file) => `${before.has(file) ? 'changed' : 'wrote  '} ${file}\n`).join('')}
Try it:  npx vitest run apps/api/src/${path}, then npm start and /docs
Migrate a PostgreSQL server with npm run db -- upgrade. npm start migrates the embedded database.
docs/adding-a-resource.md explains the files.
`);
  };
  const revert = () => {
    for (const file of [...files.keys(), ...migrations().filter((one) => !known.includes(one))])
      rmSync(file, { force: true });
    rmSync(`apps/api/src/${path}`, { recursive: true, force: true });
    for (const [file, was] of before) writeFileSync(file, was);
  };
  try {
    await allOrNothing(add, revert);
  } catch (error) {
    throw new Error(`${(error as Error).message.trimEnd()}\nNothing changed.`);
  }
}

/** What to add to the files of the product, file by file. */
function wiring(resource: Resource): Map<string, Addition[]> {
  const { singularPath, owner } = resource;
  const { path, table, plural, Plural, Singular, singular, 'Plural words': words } = namesOf(resource);
  const ownedBy = (text: string) => anchor.replace(/\.$/, `: ${text}.`);
  const api = (file: string, line: string, imports: string[] = []): [string, Addition[]] => [
    `apps/api/src/product/${file}.ts`,
    [{ anchor, imports, line }],
  ];
  const repository = [`import { ${plural} } from '../repositories/${path}.ts';`];
  const reads = `${plural}: ${plural}Reads,`;
  const nobody = [
    {
      anchor: ownedBy('owned by nobody'),
      imports: [`import { ${plural}, ${plural}Reads } from '../repositories/${path}.ts';`],
      line: `${plural},`,
    },
    { anchor: ownedBy('owned by a user'), imports: [], line: reads },
    ...(owner.isPublic ? [{ anchor: ownedBy('read by everybody'), imports: [], line: reads }] : []),
  ];
  const repositories = {
    user: [{ anchor: ownedBy('owned by a user'), imports: repository, line: `${plural},` }],
    organization: [{ anchor: ownedBy('owned by an organization'), imports: repository, line: `${plural},` }],
    nobody,
  };
  return new Map<string, Addition[]>([
    [
      'packages/db/src/product/entities.ts',
      [
        {
          anchor,
          imports: [`import { ${Singular}Schema } from '../schema/${singularPath}.ts';`],
          line: `${Singular}Schema,`,
        },
      ],
    ],
    ['packages/db/src/product/repositories.ts', repositories[owner.kind]],
    ...(owner.kind === 'nobody'
      ? [
          [
            'packages/db/src/product/privileges.ts',
            [{ anchor: ownedBy('owned by nobody'), imports: [], line: `${table}: 'select',` }],
          ] as [string, Addition[]],
        ]
      : []),
    api('services', `${plural}: create${Plural},`, [`import { create${Plural} } from '../${path}/service.ts';`]),
    api('routes', `${singular}Routes,`, [`import { ${singular}Routes } from '../${path}/routes.ts';`]),
    api('scopes', owner.isPublic ? `'${path}:write',` : `'${path}:read', '${path}:write',`),
    api('tags', `{ name: '${path}', description: '${words}.' },`),
  ]);
}
