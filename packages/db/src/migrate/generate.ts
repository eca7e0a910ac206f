import { readFile, writeFile } from 'node:fs/promises';
import { entityDifference, type Revision, writeRevision } from './drift.ts';
import { MigrationError } from './files.ts';
import { upgrade } from './migrate.ts';
import { replayed } from './replay.ts';
import { schemaDocs, schemaDocsFile } from './schema-docs.ts';
import { tableTypes, tableTypesFile } from './table-types.ts';

/**
 * Writes everything that follows from the entities, with one replay of the migrations: a migration, if the entities differ from the last one and there is a message
 * for it, the table types and docs/schema.md.
 *
 * @throws MigrationError if the entities and the migrations do not agree in the end
 */
export async function generate(message?: string): Promise<{ revision: Revision | undefined; changed: string[] }> {
  return replayed({}, async (replay) => {
    const revision = message === undefined ? undefined : await writeRevision(replay, message);
    if (revision) await upgrade(replay.database);
    const { up = '' } = (await entityDifference(replay, {})) ?? {};
    if (up) throw new MigrationError(`the entities and the migrations do not agree:\n${up}`);
    const texts = [
      [tableTypesFile, await tableTypes(replay.database)],
      [schemaDocsFile, await schemaDocs(replay.database)],
    ] as const;
    const changed: string[] = [];
    for (const [file, text] of texts) {
      if ((await readFile(file, 'utf8').catch(() => '')) === text) continue;
      await writeFile(file, text);
      changed.push(file);
    }
    return { revision, changed };
  });
}
