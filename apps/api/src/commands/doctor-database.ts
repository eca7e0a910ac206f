import { existsSync } from 'node:fs';
import { connect, type Database, migrations } from '@quoin/db';
import type { Config } from '../config/config.ts';
import { type Finding, note, ok, type RunCheck, wrong } from './finding.ts';
import { observeDatabase } from './live-database.ts';

const [postgresMajorMin, postgresMajorMax] = [15, 18];
const pgvectorMin = [0, 7];

/** Whether the server on this port answers as Quoin does. */
export const isOurs = (port: number) =>
  fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(1_000) }).then(
    ({ headers }) => headers.has('x-request-id'),
    () => false,
  );

/** Checks the database: that a start can use it, and what will hurt later. */
export async function checkDatabase(config: Config, run: RunCheck): Promise<void> {
  const { port, databaseUrl, databasePoolMax, databasePrepare, databaseDirectUrl, databaseReplicaUrl } = config;
  let open: Database | undefined;
  const directory = databaseUrl.startsWith('pglite://') ? databaseUrl.slice('pglite://'.length) : undefined;
  if (directory && !existsSync(directory)) {
    await run('database', async () => note(`embedded, in ${directory}: npm start creates it`));
    return;
  }
  await run('database', async () => {
    const options = {
      poolMax: databasePoolMax,
      prepare: databasePrepare,
      directUrl: databaseDirectUrl,
      replicaUrl: databaseReplicaUrl,
    };
    const opened = await connect(databaseUrl, options).catch(async (error: Error) => {
      if (error.message.includes('is in use by process') && (await isOurs(port))) return undefined;
      throw error;
    });
    if (!opened) return note(`embedded, in ${directory}: the server on port ${port} has it open`);
    const found = opened.isEmbedded
      ? ok(`embedded, ${databaseUrl}`)
      : await server(opened).catch(async (error) => {
          await opened.close();
          throw error;
        });
    open = opened;
    return found;
  });
  if (!open) return;
  const database = open;
  if (!database.isEmbedded) await run('roles', () => roles(database));
  await run('pgvector', () => pgvector(database));
  await run('pg_trgm', () => trigrams(database));
  await run('migrations', () => pending(database));
  if (!database.isEmbedded && (await isCurrent(database))) {
    if (databaseReplicaUrl) await run('replica', () => replica(database));
    for (const { subject, findings } of await observeDatabase(database, config))
      await run(subject, async () => (findings.length > 0 ? note(findings.join('\n')) : ok('nothing to report')));
  }
  await database.close();
}

async function server(database: Database): Promise<Finding> {
  const [row] = await rowsOf<{ version: string; number: number; is_superuser: boolean }>(
    database,
    `select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
       rolsuper as is_superuser from pg_roles where rolname = current_user`,
  );
  const major = Math.floor((row?.number ?? 0) / 10_000);
  if (major < postgresMajorMin || major > postgresMajorMax)
    return wrong(`PostgreSQL ${row?.version} is not supported: use ${postgresMajorMin} to ${postgresMajorMax}`);
  return row?.is_superuser
    ? note(`PostgreSQL ${row.version}; the role is a superuser, which is unnecessary: use the owner of the database`)
    : ok(`PostgreSQL ${row?.version}`);
}

/** Whether the server runs with fewer privileges than migrations. */
async function roles(database: Database): Promise<Finding> {
  const [row] = await rowsOf<{ owned: number }>(
    database,
    `select count(*)::int as owned from pg_tables where schemaname = 'public' and pg_has_role(current_user, tableowner, 'member')`,
  );
  return row?.owned
    ? note(
        'this role owns the tables: an attacker who controls the server can change the schema and empty the audit trail\nhint: docs/operations.md, "Separate roles"',
      )
    : ok('this role owns no table');
}

async function pgvector(database: Database): Promise<Finding> {
  const [row] = await rowsOf<{ default_version: string; installed_version: string | null }>(
    database,
    `select default_version, installed_version from pg_available_extensions where name = 'vector'`,
  );
  if (!row)
    return wrong('not installed on the server\nhint: install it; the Debian package is postgresql-<version>-pgvector');
  const version = row.installed_version ?? row.default_version;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [majorMin = 0, minorMin = 0] = pgvectorMin;
  if (major < majorMin || (major === majorMin && minor < minorMin))
    return wrong(
      `${version} is too old: ${pgvectorMin.join('.')} or later is needed\nhint: update it on the server, then run: alter extension vector update`,
    );
  return ok(row.installed_version ? version : `${version}; the first migration creates the extension`);
}

async function trigrams(database: Database): Promise<Finding> {
  const [row] = await rowsOf<{ version: string }>(
    database,
    `select coalesce(installed_version, default_version) as version from pg_available_extensions where name = 'pg_trgm'`,
  );
  return row
    ? ok(row.version)
    : wrong('not installed on the server\nhint: install the contrib modules of PostgreSQL (postgresql-contrib)');
}

const isCurrent = async (database: Database) =>
  (await migrations.history(database)).every(({ applied, checksum }) => applied && checksum !== undefined);

async function replica(database: Database): Promise<Finding> {
  const { lagSeconds } = (await database.checkReplica()) ?? {};
  return lagSeconds === undefined
    ? note('does not answer, so DATABASE_URL answers everything')
    : ok(`${Math.round(lagSeconds)} s behind`);
}

async function pending(database: Database): Promise<Finding> {
  const all = await migrations.history(database);
  const waiting = all.filter(({ applied }) => !applied).map(({ name }) => name);
  const unknown = all.filter(({ checksum }) => checksum === undefined).map(({ name }) => name);
  if (unknown.length > 0)
    return wrong(
      `applied by another version: ${unknown.join(', ')}\nhint: run that version, or revert its migrations with it`,
    );
  if (waiting.length === 0) return ok(`all ${all.length} are applied`);
  if (database.isEmbedded) return note(`${waiting.length} are pending; npm start applies them`);
  return wrong(`${waiting.length} are pending: ${waiting.join(', ')}\nhint: npm run db -- upgrade`);
}

async function rowsOf<Row>(database: Database, sql: string): Promise<Row[]> {
  const { rows } = await database.inspect((connection) => connection.query<Row>(sql));
  return rows;
}
