import { existsSync, globSync, readFileSync } from 'node:fs';
import { UsageError } from '@quoin/db/command';
import { applyChanges } from './apply-changes.ts';
import { withLine } from './insert-lines.ts';
import { parseResource, type ResourceOptions } from './parse-resource.ts';
import { references } from './parts/fields.ts';
import { resourceFiles } from './resource-files.ts';
import { markInUse, wiring } from './wiring.ts';

/**
 * Adds a resource to this repository, with everything that is generated from it. If anything fails, nothing changes.
 *
 * @throws UsageError
 */
export async function makeResource(texts: string[], options: ResourceOptions): Promise<void> {
  const resource = parseResource(texts, options);
  const { path, table, 'plural words': words } = resource.names;
  const files = resourceFiles(resource);
  const there = [...files.keys()].find((file) => existsSync(file));
  const tables = globSync('packages/db/src/schema/*.ts').map((file) => readFileSync(file, 'utf8'));
  if (there || existsSync(`apps/api/src/${path}`) || tables.some((text) => text.includes(`tableName: '${table}'`)))
    throw new UsageError(`${path} exists already${there ? `: ${there}` : ''}`);
  try {
    for (const [file, additions] of wiring(resource))
      files.set(
        file,
        additions.reduce((text, addition) => withLine(file, text, addition), readFileSync(file, 'utf8')),
      );
    for (const [file, text] of markInUse(references(resource.fields))) files.set(file, text);
  } catch (error) {
    throw new Error(`${(error as Error).message}\nNothing changed.`);
  }
  await applyChanges({
    files,
    message: `Add ${words}`,
    oldCode: 'Old code keeps working: the table is new.',
    hint: `Try it:  npx vitest run apps/api/src/${path}, then npm start and /docs
Migrate a PostgreSQL server with npm run db -- upgrade. npm start migrates the embedded database.
docs/adding-a-resource.md explains the files.
`,
  });
}
