import type { Connection } from '../connection.ts';
import type { Database } from '../database.ts';
import { applyStep } from './apply.ts';
import { MigrationError, type MigrationFile, migrationNames, readMigrations } from './files.ts';

// Migration runner (docs/decisions/002 and 016). Holds one advisory lock per run. Runs each migration and its record in one transaction, unless the file says
// `-- transaction: none`.

export interface MigrationOptions {
  /** Where the migrations are; by default the ones of this package. */
  directory?: string | undefined;
  /** How long to wait for another run and for the locks of an index that is built concurrently, in milliseconds. */
  lockMsMax?: number | undefined;
}

/** A target: the name of a migration, or its number. */
interface TargetOptions extends MigrationOptions {
  to?: string | undefined;
}

export interface Migration {
  name: string;
  /** Checksum of the files; undefined if there are none, because a newer version applied the migration or the files were deleted. */
  checksum?: string | undefined;
  /** Undefined while the migration is pending. */
  applied?: { at: Date; checksum: string } | undefined;
}

const advisoryLockKey = 3_141_592_653;
const lockMsDefault = 120_000;
const lockRetryMs = 100;

/** Returns all migrations, applied or not, in order of name. */
export async function history(database: Database, { directory }: MigrationOptions = {}): Promise<Migration[]> {
  const files = await readMigrations(directory);
  return database.inspect((connection) => readHistory(connection, files));
}

/** Returns the name of the last applied migration; undefined if none is. */
export async function current(database: Database, options: MigrationOptions = {}): Promise<string | undefined> {
  return (await history(database, options)).findLast(({ applied }) => applied)?.name;
}

/** Returns the names of the pending migrations. Cheap enough for a readiness check. */
export async function pending(database: Database, { directory }: MigrationOptions = {}): Promise<string[]> {
  const names = await migrationNames(directory);
  const applied = new Set((await database.inspect(readApplied)).map(({ name }) => name));
  return names.filter((name) => !applied.has(name));
}

/**
 * Applies the pending migrations, up to and including `to`. Waits for another run on the same database to finish first.
 *
 * @returns the names of the applied migrations
 * @throws MigrationError if a migration fails (the ones before it stay applied; nothing of it remains), if `to` is unknown, if a newer version
 *   has migrated the database, or if an applied migration was edited
 */
export function upgrade(database: Database, { to, ...options }: TargetOptions = {}): Promise<string[]> {
  return withLock(database, options, async (connection) => {
    await connection.execute(migrationsTable);
    const files = await readMigrations(options.directory);
    const all = await readHistory(connection, files);
    refuseUnknown(all);
    refuseEdited(all);
    const last = to === undefined ? all.length - 1 : indexOf(all, to);
    const names = all.slice(0, last + 1).flatMap(({ name, applied }) => (applied ? [] : [name]));
    for (const name of names) {
      const { up, checksum } = fileOf(files, name);
      const record = `insert into schema_migrations (name, checksum) values ('${name}', '${checksum}')`;
      await applyStep(connection, { name, statements: up, record });
    }
    return names;
  });
}

/**
 * Reverts applied migrations: the last one, all after `to`, or all (`to: 'base'`).
 *
 * @returns the names of the reverted migrations, the last one first
 */
export function downgrade(database: Database, { to, ...options }: TargetOptions = {}): Promise<string[]> {
  return withLock(database, options, async (connection) => {
    const files = await readMigrations(options.directory);
    const applied = (await readHistory(connection, files)).filter(({ applied }) => applied);
    const keep = to === 'base' ? 0 : to === undefined ? applied.length - 1 : indexOf(applied, to) + 1;
    const names = applied.slice(Math.max(keep, 0)).map(({ name }) => name);
    for (const name of names.reverse()) {
      const { down } = fileOf(files, name);
      const record = `delete from schema_migrations where name = '${name}'`;
      await applyStep(connection, { name, statements: down, record });
    }
    return names;
  });
}

const migrationsTable = `
create table if not exists schema_migrations (
  name text not null constraint schema_migrations_pkey primary key,
  checksum text not null,
  applied_at timestamptz not null default now()
);
comment on table schema_migrations is 'Migrations that are applied to this database.';
comment on column schema_migrations.name is 'Name of the files, without their endings.';
comment on column schema_migrations.checksum is 'SHA-256 of the files when the migration was applied, hexadecimal.';
comment on column schema_migrations.applied_at is 'When the migration was applied.';
`;

async function withLock<T>(
  database: Database,
  { lockMsMax = lockMsDefault }: MigrationOptions,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  return database.maintain(async (connection) => {
    await takeLock(connection, lockMsMax);
    await connection.execute(`set lock_timeout = ${lockMsMax}`);
    try {
      return await work(connection);
    } finally {
      await connection.query(`select pg_advisory_unlock(${advisoryLockKey})`);
      await connection.execute('reset lock_timeout');
    }
  });
}

/**
 * Asks again and again instead of waiting in the database: `create index concurrently` waits for every statement that runs, also for one that waits for this
 * lock, and the two would wait for each other.
 *
 * @throws MigrationError
 */
async function takeLock(connection: Connection, lockMsMax: number): Promise<void> {
  for (const deadline = performance.now() + lockMsMax; ; ) {
    const { rows } = await connection.query<{ isTaken: boolean }>(
      `select pg_try_advisory_lock(${advisoryLockKey}) as "isTaken"`,
    );
    if (rows[0]?.isTaken) return;
    if (performance.now() > deadline)
      throw new MigrationError(`another migration has held the lock for ${lockMsMax / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, lockRetryMs));
  }
}

async function readHistory(connection: Connection, files: MigrationFile[]): Promise<Migration[]> {
  const applied = new Map(
    (await readApplied(connection)).map(({ name, checksum, applied_at }) => [name, { at: applied_at, checksum }]),
  );
  const known = files.map(({ name, checksum }) => ({ name, checksum, applied: applied.get(name) }));
  const unknown = [...applied.keys()].filter((name) => !files.some((file) => file.name === name));
  return [...known, ...unknown.map((name) => ({ name, applied: applied.get(name) }))].sort((one, other) =>
    one.name < other.name ? -1 : 1,
  );
}

async function readApplied(connection: Connection): Promise<{ name: string; checksum: string; applied_at: Date }[]> {
  const { rows: tables } = await connection.query(
    `select from pg_class where oid = to_regclass('public.schema_migrations')`,
  );
  if (tables.length === 0) return [];
  const { rows } = await connection.query<{ name: string; checksum: string; applied_at: Date }>(
    'select name, checksum, applied_at from schema_migrations',
  );
  return rows;
}

function refuseUnknown(all: Migration[]): void {
  const unknown = all.filter(({ checksum }) => checksum === undefined).map(({ name }) => name);
  if (unknown.length > 0)
    throw new MigrationError(
      `the database has migrations of another version: ${unknown.join(', ')}. Run the version of the code that has these files`,
    );
}

function refuseEdited(all: Migration[]): void {
  const edited = all
    .filter(({ checksum, applied }) => applied && applied.checksum !== checksum)
    .map(({ name }) => name);
  if (edited.length > 0)
    throw new MigrationError(
      `edited after they were applied: ${edited.join(', ')}. Restore the files, and put the change into a new migration`,
    );
}

function fileOf(files: MigrationFile[], name: string): MigrationFile {
  const file = files.find((one) => one.name === name);
  if (!file)
    throw new MigrationError(
      `${name} cannot be reverted, because its files are missing. Restore them, or use the version that applied it`,
    );
  return file;
}

function indexOf(all: Migration[], to: string): number {
  const index = all.findIndex(({ name }) => name === to || name.startsWith(`${to}_`));
  if (index < 0) throw new MigrationError(`there is no migration ${to}: \`npm run db -- history\` lists them`);
  return index;
}
