import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { UsageError } from '@quoin/db/command';
import { run, step } from './command.ts';
import { namesOf, parseResource, type Resource, resourceFiles } from './resource.ts';

const anchor = '// Above this line `npm run new -- resource` adds its own.';
const generated = ['docs/schema.md', 'packages/client/src/openapi.d.ts'];
const placeholder =
  'Does the old code keep working on the new schema? Say so here, and why: both run side by side while a deploy is under way.';

/**
 * Writes a resource into this repository, and everything that is made from it. Where anything fails, all is as it was.
 *
 * @throws UsageError where it cannot be made so
 */
export async function makeResource(texts: string[], singular?: string): Promise<void> {
  const resource = parseResource(texts, singular);
  const { path, table, 'plural words': words } = namesOf(resource);
  const files = resourceFiles(resource);
  const wired = wiring(resource);
  const there = [...files.keys()].find((file) => existsSync(file));
  const tables = globSync('packages/db/src/schema/*.ts').map((file) => readFileSync(file, 'utf8'));
  if (there || existsSync(`apps/api/src/${path}`) || tables.some((text) => text.includes(`tableName: '${table}'`)))
    throw new UsageError(`there is something called ${path} already${there ? `: ${there}` : ''}`);

  const before = new Map([...wired.keys(), ...generated].map((file) => [file, readFileSync(file, 'utf8')]));
  const migrations = () => globSync('packages/db/src/migrations/*.ts').sort();
  const known = migrations();
  const scratch = mkdtempSync(join(tmpdir(), 'new-resource-'));
  // The commands below are stopped by Ctrl-C themselves; what they leave is taken back here.
  const stay = () => {};
  process.on('SIGINT', stay);
  try {
    step('writing');
    for (const [file, text] of files) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    for (const [file, insertions] of wired) writeFileSync(file, withLines(file, insertions));
    const biome = 'node_modules/.bin/biome';
    run(biome, ['check', '--write', ...files.keys(), ...wired.keys()]);

    step('making the migration');
    db(scratch, 'revision', '-m', `Add ${words}`);
    const [migration = ''] = migrations().filter((file) => !known.includes(file));
    const text = readFileSync(migration, 'utf8');
    writeFileSync(migration, text.replace(placeholder, 'Old code keeps working: the table is new to it.'));

    step('applying it to a database in memory, and writing docs/schema.md');
    db(scratch, 'upgrade');
    db(scratch, 'check');
    db(scratch, 'docs');

    step('making the OpenAPI document and the client');
    run('npm', ['run', '-s', 'openapi']);

    const all = [...files.keys(), migration, ...wired.keys(), ...generated];
    process.stdout.write(`${all.map((file) => `${before.has(file) ? 'changed' : 'wrote  '} ${file}\n`).join('')}
Try it:  npx vitest run apps/api/src/${path}, then npm start and /docs
A PostgreSQL server is migrated with npm run db -- upgrade; the embedded one when it starts.
docs/adding-a-resource.md says what is in these files, and where to go from here.
`);
  } catch (error) {
    for (const file of [...files.keys(), ...migrations().filter((one) => !known.includes(one))])
      rmSync(file, { force: true });
    rmSync(`apps/api/src/${path}`, { recursive: true, force: true });
    for (const [file, was] of before) writeFileSync(file, was);
    throw new Error(`${(error as Error).message.trimEnd()}\nNothing was changed.`);
  } finally {
    process.off('SIGINT', stay);
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What is added to which file: imports, and a line, or lines, at each of its anchors in turn. */
function wiring(resource: Resource): Map<string, { imports: string[]; lines: string[] }> {
  const { singularPath } = resource;
  const { path, plural, Plural, Singular, singular, 'Plural words': words } = namesOf(resource);
  return new Map([
    [
      'packages/db/src/schema/entities.ts',
      {
        imports: [`import { ${Singular}Schema } from './${singularPath}.ts';`],
        lines: [`${Singular}Schema,`],
      },
    ],
    [
      'packages/db/src/database.ts',
      {
        imports: [`import { ${plural} } from './repositories/${path}.ts';`],
        lines: [`get ${plural}() {\n    return ${plural}(this.#db);\n  }`],
      },
    ],
    [
      'apps/api/src/app.ts',
      {
        imports: [
          `import { ${singular}Routes } from './${path}/routes.ts';`,
          `import { create${Plural} } from './${path}/service.ts';`,
        ],
        lines: [`const ${plural} = create${Plural}({ database, pages });`, `${singular}Routes(api, { ${plural} });`],
      },
    ],
    [
      'apps/api/src/http/openapi.ts',
      { imports: [], lines: [`{ name: '${path}', description: '${words}, each of a user.' },`] },
    ],
  ]);
}

function withLines(file: string, { imports, lines }: { imports: string[]; lines: string[] }): string {
  const parts = readFileSync(file, 'utf8').split(anchor);
  if (parts.length !== lines.length + 1)
    throw new Error(
      `${file}: expected ${lines.length} × the comment\n  ${anchor}\nwhich says where to add; put it back, or add the resource by hand`,
    );
  const [head, ...tails] = parts;
  const text = tails.reduce((done, tail, place) => `${done}${lines[place]}\n${anchor}${tail}`, head ?? '');
  // The formatter sorts them.
  const first = text.search(/^import /m);
  return `${text.slice(0, first)}${imports.map((line) => `${line}\n`).join('')}${text.slice(first)}`;
}

function db(scratch: string, ...args: string[]): void {
  const env = { DATABASE_URL: `pglite://${scratch}/database` };
  run(process.execPath, ['apps/api/src/commands/db.ts', ...args], { env });
}
