import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { allOrNothing, type Run, step } from './command.ts';

const generated = ['docs/schema.md', 'packages/client/src/openapi.d.ts', 'packages/db/src/schema/tables.ts'];
const placeholder = 'Does old code keep working on the new schema? Say so here, and why: both run during a deployment.';

interface Changes {
  /** New and changed files, not formatted. */
  files: Map<string, string>;
  /** What the migration does, such as `Add notes`. */
  message: string;
  /** Why code of the previous version keeps working on the new schema. */
  oldCode: string;
  /** Changes the migration that was generated. */
  finish?: (migration: string) => void;
  /** What to say in the end. */
  hint: string;
}

const migrations = () => globSync('packages/db/src/migrations/*.sql').sort();

/** Writes files, and everything that is generated from them: a migration, the table types, docs/schema.md and the client. If anything fails, nothing changes. */
export async function applyChanges({ files, message, oldCode, finish, hint }: Changes): Promise<void> {
  const paths = [...new Set([...files.keys(), ...generated])];
  const before = new Map(paths.map((file) => [file, existsSync(file) ? readFileSync(file, 'utf8') : undefined]));
  const known = migrations();
  const apply = async (run: Run) => {
    step('writing the files');
    for (const [file, text] of files) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    await run('node_modules/.bin/biome', ['check', '--write', ...files.keys()]);

    step('generating the migration, the table types, docs/schema.md and the client');
    const generation = await Promise.allSettled([
      run(process.execPath, ['apps/api/src/commands/db.ts', 'generate', '-m', message]),
      run('npm', ['run', '-s', 'client']),
    ]);
    // Not before both have ended: they write files.
    for (const result of generation) if (result.status === 'rejected') throw result.reason;
    const [migration] = migrations().filter((file) => !known.includes(file) && file.endsWith('.up.sql'));
    if (migration) {
      writeFileSync(migration, readFileSync(migration, 'utf8').replace(placeholder, oldCode));
      finish?.(migration);
    }
    const written = migrations().filter((file) => !known.includes(file));
    const said = [...files.keys(), ...written, ...generated];
    process.stdout.write(
      `${said.map((file) => `${before.get(file) === undefined ? 'wrote  ' : 'changed'} ${file}\n`).join('')}\n${hint}`,
    );
  };
  const revert = () => {
    for (const file of migrations().filter((one) => !known.includes(one))) rmSync(file);
    for (const [file, text] of before) {
      if (text !== undefined) writeFileSync(file, text);
      else rmSync(file, { force: true });
    }
    // Directories that are empty now.
    for (const directory of new Set(paths.map(dirname)))
      if (existsSync(directory) && globSync(`${directory}/*`).length === 0) rmSync(directory, { recursive: true });
  };
  try {
    await allOrNothing(apply, revert);
  } catch (error) {
    throw new Error(`${(error as Error).message.trimEnd()}\nNothing changed.`);
  }
}
