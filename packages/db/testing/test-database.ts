import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import pg from 'pg';
import { type CommandDefinition, executeCommand } from '../src/cli/command.ts';
import { connect } from '../src/connect.ts';
import { createDatabase, type Database } from '../src/database.ts';
import * as migrations from '../src/migrate/migrate.ts';
import { embeddedSource, openInMemory } from '../src/pglite/pglite.ts';

// Throw-away databases for tests. Migrating one takes seconds, so it is done once for each set of migrations, and every test file starts
// from a copy: of a snapshot of the embedded database, or of a template on the server of TEST_DATABASE_URL.

const embeddedManifest = new URL('../package.json', import.meta.resolve('@electric-sql/pglite'));
const embeddedVersion: string = JSON.parse(readFileSync(embeddedManifest, 'utf8')).version;

/** The server that the tests run on; undefined for the embedded database. */
export const testServerUrl = process.env.TEST_DATABASE_URL || undefined;

/** A pooler before that server, such as PgBouncer: everything but migrations goes through it. It is taken to know no prepared statements. */
export const testPoolerUrl = process.env.TEST_POOLER_URL || undefined;

export interface TestDatabase extends Database {
  /** Where other processes reach it; `memory://` cannot be reached from outside. */
  readonly url: string;
  /** As `url`, past the pooler. */
  readonly directUrl: string;
}

/** A database of one's own. `close()` removes it. */
export async function createTestDatabase({ isMigrated = true }: { isMigrated?: boolean } = {}): Promise<TestDatabase> {
  return testServerUrl ? onServer(testServerUrl, isMigrated) : inMemory(isMigrated);
}

/** The same database for a command, which closes what it has opened. */
export const keptOpen = (database: Database) => async (): Promise<Database> => ({ ...database, close: async () => {} });

/** Runs a command to its end without a process, which takes a hundredth of the time. */
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

async function inMemory(isMigrated: boolean): Promise<TestDatabase> {
  const pglite = await openInMemory(isMigrated ? await migratedSnapshot() : undefined);
  return { ...createDatabase(embeddedSource(pglite)), url: 'memory://', directUrl: 'memory://' };
}

async function migratedSnapshot(): Promise<Blob> {
  const file = join(tmpdir(), `quoin-test-${await fingerprint()}.tar`);
  if (!existsSync(file)) {
    const pglite = await openInMemory();
    const database = createDatabase(embeddedSource(pglite));
    await migrations.upgrade(database);
    const dump = await pglite.dumpDataDir('none');
    await database.close();
    // Under its name only when it is whole: another test file may be waiting for it.
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

/** Waits for the server's own vacuum to leave the database: to end that takes more rights. */
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
    await migrations.upgrade(database);
    await database.close();
    await client.query(`alter database ${unfinished} rename to ${name}`);
  });
  return name;
}

async function administer(serverUrl: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client(serverUrl);
  await client.connect();
  try {
    // The lock of `migratedTemplate` ends with the connection.
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

/** Changes with every migration, and with the embedded database itself. */
async function fingerprint(): Promise<string> {
  const checksums = (await migrations.files()).map(({ checksum }) => checksum).join();
  return createHash('sha256').update(checksums).update(embeddedVersion).digest('hex').slice(0, 16);
}
