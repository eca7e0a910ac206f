import { writeFile } from 'node:fs/promises';
import type { PGlite } from '@electric-sql/pglite';
import type { EntitySchema } from '@mikro-orm/core';
import { createDatabase, type Database } from '../database.ts';
import { catalogFacts, readCatalog } from './catalog.ts';
import { lockWarnings } from './lock-warnings.ts';
import { history, MigrationError, type MigrationOptions, ownDirectory, upgrade } from './migrate.ts';

// Where the entities, the migrations and a database differ, and the migration that ends a difference. All migrations are replayed into
// a database in memory: what they make of it is what every other one should look like.

/** What a service has of its own: by default this package's migrations and entities. */
export interface DriftOptions extends MigrationOptions {
  entities?: readonly EntitySchema[];
}

/**
 * Compares the database with the migrations, and the migrations with the entities.
 *
 * @returns a line for every difference; none where all three agree
 */
export async function check(database: Database, options: DriftOptions = {}): Promise<string[]> {
  const all = await history(database, options);
  const states = all.flatMap(({ name, checksum, appliedAt, appliedChecksum, isUnknown }) => {
    if (isUnknown) return [`${name}: applied, but there is no such file`];
    if (!appliedAt) return [`${name}: not applied`];
    return appliedChecksum === checksum ? [] : [`${name}: the file was changed after it was applied`];
  });
  return replayed(options, async (replay, pglite) => {
    const isComparable = all.every(({ appliedAt, isUnknown }) => appliedAt && !isUnknown);
    const drift = isComparable ? await compare(replay, database) : [];
    const { up } = await entityDifference(pglite, options);
    return [
      ...states,
      ...drift,
      ...up
        .split('\n')
        .filter(Boolean)
        .map((sql) => `entities without a migration: ${sql}`),
    ];
  });
}

export interface Revision {
  name: string;
  path: string;
  /** Statements that rename: a guess, since the entities do not tell a rename from a removal and an addition. */
  renames: string[];
  /** What in it others would wait for, or break by. */
  locks: string[];
}

/**
 * Writes the migration that takes the schema from the last migration to the entities. Needs no database: it replays the
 * migrations in memory.
 *
 * @returns undefined where there is no difference
 */
export async function revision(message: string, options: DriftOptions = {}): Promise<Revision | undefined> {
  const slug = message
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
  if (!slug) throw new MigrationError('the message of a revision needs at least one letter or digit');
  return replayed(options, async (_, pglite) => {
    const { up: difference, down } = await entityDifference(pglite, options);
    if (!difference.trim()) return undefined;
    const up = `${difference.trimEnd()}\n${grants(difference)}`;
    const timestamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
    const name = `${timestamp}_${slug}`;
    const path = `${options.directory ?? ownDirectory}/${name}.ts`;
    await writeFile(path, migrationFile(message, up, down), { flag: 'wx' });
    const renames = up.split('\n').filter((line) => /\brename\b/i.test(line));
    return { name, path, renames, locks: lockWarnings(up) };
  });
}

/** Runs `work` on a database in memory to which every migration has been applied. */
async function replayed<T>(options: DriftOptions, work: (replay: Database, pglite: PGlite) => Promise<T>): Promise<T> {
  const { embeddedSource, openInMemory } = await import('../pglite/pglite.ts');
  const pglite = await openInMemory();
  const replay = createDatabase(embeddedSource(pglite));
  try {
    await upgrade(replay, options);
    return await work(replay, pglite);
  } finally {
    await replay.close();
  }
}

async function compare(replay: Database, live: Database): Promise<string[]> {
  const facts = async (database: Database) => new Set(catalogFacts(await database.inspect(readCatalog)));
  const [expected, found] = [await facts(replay), await facts(live)];
  return [
    ...[...expected].filter((fact) => !found.has(fact)).map((fact) => `missing in the database: ${fact}`),
    ...[...found].filter((fact) => !expected.has(fact)).map((fact) => `only in the database: ${fact}`),
  ];
}

/** The statements between the schema of that database and the entities, both ways. Loaded here alone: it takes half a second. */
async function entityDifference(pglite: PGlite, options: DriftOptions): Promise<{ up: string; down: string }> {
  const { DatabaseSchema, MikroORM } = await import('@mikro-orm/pglite');
  const entities = options.entities ?? (await import('../schema/entities.ts')).entities;
  const orm = await MikroORM.init({
    entities: [...entities],
    dbName: 'postgres',
    driverOptions: { pglite },
  });
  try {
    // Functions are written by hand in the migrations, and `compare` sees whether they are as they should be. The schema is read here because
    // MikroORM, left to read it, reads the functions as well, and writes them into `down` without their settings.
    const { em, config } = orm;
    const skipTables = ['schema_migrations'];
    const fromSchema = await DatabaseSchema.create(
      em.getConnection(),
      em.getPlatform(),
      config,
      undefined,
      undefined,
      undefined,
      skipTables,
    );
    return await orm.schema.getUpdateSchemaMigrationSQL({ wrap: false, fromSchema });
  } finally {
    await orm.close();
  }
}

/** The grants on new tables, which entities cannot express. The policies say which rows a role sees and writes. */
function grants(up: string): string {
  const created = [...up.matchAll(/^create table "(\w+)"/gm)].map(([, table]) => table);
  const policies = [...up.matchAll(/^create policy "\w+" on "(\w+)" to "(\w+)"/gm)];
  return policies
    .filter(([, table]) => created.includes(table))
    .map(([, table, role]) => `\ngrant select, insert, update, delete on "${table}" to ${role};`)
    .join('');
}

function migrationFile(message: string, up: string, down: string): string {
  const literal = (sql: string) => `\`\n${sql.trim().replace(/[`$\\]/g, '\\$&')}\n\``;
  return `// ${message.replaceAll('\n', ' ')}
//
// Does the old code keep working on the new schema? Say so here, and why: both run side by side while a deploy is under way.

export const up = ${literal(up)};

export const down = ${literal(down)};
`;
}
