import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** A mistake of the user of a command. The message says what is wrong and what to do. */
export class MigrationError extends Error {
  override name = 'MigrationError';
}

/** One migration on disk: `NNNN_name.up.sql` and `NNNN_name.down.sql`. */
export interface MigrationFile {
  name: string;
  up: string;
  down: string;
  /** SHA-256 of both files, hexadecimal. */
  checksum: string;
}

/** The migrations of this package. */
export const ownDirectory = fileURLToPath(new URL('../migrations', import.meta.url));

/** Reads the migrations of a directory, in order of name. @throws MigrationError if half of a pair is missing */
export async function readMigrations(directory: string = ownDirectory): Promise<MigrationFile[]> {
  return Promise.all((await migrationNames(directory)).map((name) => readMigration(directory, name)));
}

/** Returns the names of the migrations of a directory, in order. Opens no file. */
export async function migrationNames(directory: string = ownDirectory): Promise<string[]> {
  const pattern = /^(\d{4}_\w+)\.(?:up|down)\.sql$/;
  const names = (await readdir(directory)).map((file) => pattern.exec(file)?.[1]);
  return [...new Set(names.filter((name) => name !== undefined))].sort();
}

async function readMigration(directory: string, name: string): Promise<MigrationFile> {
  const read = async (kind: 'up' | 'down') => {
    const text = await readFile(`${directory}/${name}.${kind}.sql`, 'utf8').catch((cause) => {
      throw new MigrationError(`${name}.${kind}.sql is missing: every migration needs both files`, { cause });
    });
    return text.replaceAll('\r\n', '\n');
  };
  const [up, down] = [await read('up'), await read('down')];
  const checksum = createHash('sha256').update(up).update('\0').update(down).digest('hex');
  return { name, up, down, checksum };
}
