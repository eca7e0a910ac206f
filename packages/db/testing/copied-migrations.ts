import { mkdtempSync, rmSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownDirectory } from '../src/migrate/files.ts';

/** Copies the migrations of this package into a directory that a test can change. */
export async function copiedMigrations(): Promise<{ directory: string; remove: () => void }> {
  const directory = mkdtempSync(join(tmpdir(), 'quoin-migrations-'));
  await cp(ownDirectory, directory, { recursive: true });
  return { directory, remove: () => rmSync(directory, { recursive: true }) };
}
