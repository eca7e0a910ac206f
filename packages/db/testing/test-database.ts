import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import { type CommandDefinition, executeCommand } from '../src/cli/command.ts';
import { connect } from '../src/connect.ts';
import { createDatabase, type Database } from '../src/database.ts';
import { DatabaseUnavailable } from '../src/errors.ts';
import { readMigrations } from '../src/migrate/files.ts';
import { upgrade } from '../src/migrate/migrate.ts';
import { pgliteVersion } from '../src/pglite/initdb-cache.ts';
import { embeddedSource, openInMemory } from '../src/pglite/pglite.ts';
import type { Scope } from '../src/scope.ts';

// Databases for tests. Migrating one takes seconds, so it happens once per set of migrations. Every test file starts from a copy: of a snapshot of the
// embedded database, or of a template on the server of TEST_DATABASE_URL.

/** The server that the tests use; undefined for the embedded database. */
export const testServerUrl = process.env.TEST_DATABASE_URL || undefined;

/** The same server, as an administrator. CI sets it. */
export const testAdminUrl = process.env.TEST_ADMIN_URL || undefined;

/** A pooler in front of that server, such as PgBouncer, for everything but migrations. Statements are not prepared. */
export const testPoolerUrl = process.env.TEST_POOLER_URL || undefined;

export interface TestDatabase extends Database {
  /** URL for other processes, which cannot open `memory://`. */
  readonly url: string;
  /** Same as `url`, without the pooler. */
  readonly directUrl: string;
}

/** Creates a database. `close()` removes it. */
export async function createTestDatabase({ isMigrated = true }: { isMigrated?: boolean } = {}): Promise<TestDatabase> {
  return testServerUrl ? onServer(testServerUrl, isMigrated) : inMemory(isMigrated);
}

/** Migrates the database that all others are copies of. */
export async function prepareTestDatabases(): Promise<void> {
  await (testServerUrl ? migratedTemplate(testServerUrl) : migratedSnapshot());
}

/** Returns the scope of a user's request. */
export const scopeOf = (userId: string, { actorId = userId }: { actorId?: string } = {}): Scope => ({
  actor: { via: 'session', userId: actorId, sessionId: randomUUID(), authenticatedAt: new Date() },
  owner: { userId },
  isAdmin: actorId !== userId,
});

/** Creates a user. Resolves to the scope of a request of that user. */
export async function newScope(database: Database): Promise<Scope> {
  const { id } = await database.system().users.create({ email: `${randomUUID()}@example.com`, password_hash: 'x' });
  return scopeOf(id);
}

/** Opens this database for a command, which closes what it opens. */
export const keptOpen = (database: Database) => async (): Promise<Database> => ({ ...database, close: async () => {} });

/** Runs a command in this process, which takes a hundredth of the time of a new process. */
export async function runInProcess(
  definition: CommandDefinition,
  args: string[],
  { env = {}, input = '' }: { env?: NodeJS.ProcessEnv; input?: string } = {},
) {
  const output = { stdout: '', stderr: '' };
  const writer = (stream: keyof typeof output) => ({
    write: (text: string | Uint8Array) => {
      output[stream] += text;
      return true;
    },
  });
  const streams = { stdin: Readable.from([input]), stdout: writer('stdout'), stderr: writer('stderr') };
  const code = await executeCommand(definition, { args, env, ...streams });
  return { code, ...output };
}

/** Migrated databases that an earlier test file of this process has closed: creating one takes as long as ten tests. */
const unused: PGlite[] = [];

async function inMemory(isMigrated: boolean): Promise<TestDatabase> {
  const pglite =
    (isMigrated && unused.pop()) || (await openInMemory(isMigrated ? await migratedSnapshot() : undefined));
  const source = embeddedSource(pglite);
  let isClosed = false;
  const acquire = async () => {
    if (isClosed) throw new DatabaseUnavailable('the test has closed this database');
    return source.acquire();
  };
  const database = createDatabase({ ...source, acquire, acquireShared: acquire, acquireUnlimited: acquire });
  let isReusable = isMigrated;
  return {
    ...database,
    url: 'memory://',
    directUrl: 'memory://',
    maintain: (work) => {
      isReusable = false; // It can change the schema.
      return database.maintain(work);
    },
    close: async () => {
      if (isClosed) return;
      if (isReusable) await database.inspect((connection) => connection.execute(emptyAllTables));
      isClosed = true;
      if (isReusable) unused.push(pglite);
      else await source.close();
    },
  };
}

// Without triggers: audit_events refuses to be emptied.
const emptyAllTables = `do $$ begin
  set local session_replication_role = replica;
  execute (select 'truncate ' || string_agg(quote_ident(tablename), ', ') from pg_tables
    where schemaname = 'public' and tablename <> 'schema_migrations');
end $$`;

async function migratedSnapshot(): Promise<Blob> {
  const file = join(tmpdir(), `quoin-test-${await fingerprint()}.tar`);
  if (!existsSync(file)) {
    const pglite = await openInMemory();
    const database = createDatabase(embeddedSource(pglite));
    await upgrade(database);
    const dump = await pglite.dumpDataDir('none');
    await database.close();
    // Renamed when complete, because another test file may wait for it.
    const part = `${file}.${process.pid}`;
    await writeFile(part, Buffer.from(await dump.arrayBuffer()));
    await rename(part, file);
  }
  return new Blob([await readFile(file)]);
}

async function onServer(serverUrl: string, isMigrated: boolean): Promise<TestDatabase> {
  const name = `quoin_test_${randomUUID().replaceAll('-', '')}`;
  const template = isMigrated ? await migratedTemplate(serverUrl) : 'template1';
  await administer(serverUrl, (client) => client.query(`create database ${name} template ${template}`));
  const directUrl = withDatabase(serverUrl, name);
  const url = testPoolerUrl ? withDatabase(testPoolerUrl, name) : directUrl;
  const database = await connect(url, testPoolerUrl ? { prepare: false, directUrl } : {});
  const close = async () => {
    await database.close();
    await administer(serverUrl, (client) => drop(client, name));
  };
  return { ...database, url, directUrl, close };
}

/** Waits for autovacuum to leave the database: ending it requires more privileges. */
async function drop(client: pg.Client, name: string, triesLeft = 60): Promise<void> {
  try {
    await client.query(`drop database if exists ${name} with (force)`);
  } catch (error) {
    if ((error as { code?: string }).code !== '42501' || triesLeft === 0) throw error;
    await new Promise((resolve) => setTimeout(resolve, 250));
    await drop(client, name, triesLeft - 1);
  }
}

async function migratedTemplate(serverUrl: string): Promise<string> {
  const name = `quoin_test_template_${await fingerprint()}`;
  await administer(serverUrl, async (client) => {
    await client.query(`select pg_advisory_lock(hashtext($1))`, [name]);
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    if (rowCount) return;
    const unfinished = `${name}_new`;
    await client.query(`drop database if exists ${unfinished} with (force)`);
    await client.query(`create database ${unfinished}`);
    const database = await connect(withDatabase(serverUrl, unfinished));
    await upgrade(database);
    await database.close();
    await client.query(`alter database ${unfinished} rename to ${name}`);
  });
  return name;
}

async function administer(serverUrl: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client(serverUrl);
  await client.connect();
  try {
    // The advisory lock of `migratedTemplate` ends with the connection.
    await work(client);
  } finally {
    await client.end();
  }
}

function withDatabase(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** Changes with every migration and with the version of the embedded database. */
async function fingerprint(): Promise<string> {
  const checksums = (await readMigrations()).map(({ checksum }) => checksum).join();
  return createHash('sha256').update(checksums).update(pgliteVersion).digest('hex').slice(0, 16);
}
