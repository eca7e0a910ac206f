import { writeFile } from 'node:fs/promises';
import type { EntitySchema } from '@mikro-orm/core';
import type { Database } from '../database.ts';
import { catalogFacts, readCatalog, readQueueCatalog } from './catalog.ts';
import { MigrationError, migrationNames, ownDirectory } from './files.ts';
import { lockWarnings } from './lock-warnings.ts';
import { history, type Migration, type MigrationOptions } from './migrate.ts';
import { type Replay, replayed } from './replay.ts';
import { grantsFor, readableSql } from './sql-text.ts';

// Differences between the entities, the migrations and a database. All migrations are replayed into a database in memory, which shows
// what every database should look like.

/** By default the migrations and entities of this package. */
export interface DriftOptions extends MigrationOptions {
  entities?: readonly EntitySchema[];
}

/**
 * Compares a database with the migrations and, if the development dependencies are installed, the migrations with the entities.
 *
 * @returns a line per difference; empty if all agree
 */
export async function check(database: Database, options: DriftOptions = {}): Promise<string[]> {
  const all = await history(database, options);
  const states = all.flatMap(stateOf);
  return replayed(options, async (replay) => {
    const isComparable = all.every(({ applied, checksum }) => applied && checksum !== undefined);
    const { up } = (await entityDifference(replay, options)) ?? { up: '' };
    const missing = up.split('\n').filter(Boolean);
    return [
      ...states,
      ...(isComparable ? await compare(replay.database, database) : []),
      ...missing.map((sql) => `entities without a migration: ${sql}`),
    ];
  });
}

function stateOf({ name, checksum, applied }: Migration): string[] {
  if (checksum === undefined) return [`${name}: applied, but the files are missing`];
  if (!applied) return [`${name}: not applied`];
  return applied.checksum === checksum ? [] : [`${name}: the files were edited after they were applied`];
}

export interface Revision {
  name: string;
  /** The path of the `.up.sql` file. */
  path: string;
  /** Statements that rename. A guess: entities do not distinguish renaming from removing and adding. */
  renames: string[];
  /** Statements that lock a table for long or break running code. */
  locks: string[];
}

/**
 * Writes the migration from the last migration to the entities. Needs no database, because it replays the migrations in memory.
 *
 * @returns undefined if there is no difference
 * @throws MigrationError without a usable message, or without the development dependencies
 */
export async function revision(message: string, options: DriftOptions = {}): Promise<Revision | undefined> {
  return replayed(options, (replay) => writeRevision(replay, message, options));
}

/** As `revision`, from a replay. */
export async function writeRevision(
  replay: Replay,
  message: string,
  options: DriftOptions = {},
): Promise<Revision | undefined> {
  const slug = message
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
  if (!slug) throw new MigrationError('the message of a revision needs at least one letter or digit');
  const directory = options.directory ?? ownDirectory;
  const difference = await entityDifference(replay, options);
  if (!difference)
    throw new MigrationError('MikroORM is not installed: run this command with the development dependencies');
  if (!difference.up) return undefined;
  const last = (await migrationNames(directory)).at(-1) ?? '0000';
  const name = `${String(Number(last.slice(0, 4)) + 1).padStart(4, '0')}_${slug}`;
  const up = [readableSql(difference.up), grantsFor(difference.up)].filter(Boolean).join('\n\n');
  const header = `-- ${message.replaceAll('\n', ' ')}\n--\n-- Does old code keep working on the new schema? Say so here, and why: both run during a deployment.\n`;
  const path = `${directory}/${name}.up.sql`;
  await writeFile(path, `${header}\n${up}\n`, { flag: 'wx' });
  await writeFile(`${directory}/${name}.down.sql`, `${readableSql(difference.down)}\n`, { flag: 'wx' });
  const renames = up.split('\n').filter((line) => /\brename\b/i.test(line));
  return { name, path, renames, locks: lockWarnings(up) };
}

/** Undefined if MikroORM, a development dependency, is not installed. */
export async function entityDifference(replay: Replay, { entities }: DriftOptions) {
  try {
    const { differenceOf } = await import('./entity-difference.ts');
    return await differenceOf(replay, entities);
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    if (code === 'ERR_MODULE_NOT_FOUND' && message.includes('@mikro-orm/')) return undefined;
    throw error;
  }
}

async function compare(expected: Database, live: Database): Promise<string[]> {
  const facts = async (database: Database) =>
    new Set([
      ...catalogFacts(await database.inspect(readCatalog)),
      ...catalogFacts(await database.inspect(readQueueCatalog)).map((fact) => `pgboss: ${fact}`),
    ]);
  const [wanted, found] = [await facts(expected), await facts(live)];
  return [
    ...[...wanted].filter((fact) => !found.has(fact)).map((fact) => `missing in the database: ${fact}`),
    ...[...found].filter((fact) => !wanted.has(fact)).map((fact) => `only in the database: ${fact}`),
  ];
}
