import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { PGlite, type PGliteOptions, type Transaction, types } from '@electric-sql/pglite';
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm';
import { vector } from '@electric-sql/pglite-pgvector';
import { type Connection, type ConnectionSource, settingsStatement } from '../connection.ts';
import { DatabaseUnavailable } from '../errors.ts';
import { lockDirectory, makePrivate, PrivateFiles } from './directory.ts';
import { readInitdbCache, writeInitdbCache } from './initdb-cache.ts';

const waitMsMax = 5_000;

/** Opens an embedded PostgreSQL with its extensions in memory, new or from a data directory (a tar archive). */
export async function openInMemory(dataDirectory?: Blob): Promise<PGlite> {
  const from = dataDirectory ?? (await readInitdbCache());
  if (from) return open({ loadDataDir: from });
  const pglite = await open({});
  await writeInitdbCache(pglite);
  return pglite;
}

async function open(options: PGliteOptions): Promise<PGlite> {
  // As a server's: a number can be too small for a bigint, and a date has no time zone.
  const parsers = { [types.INT8]: String, [types.DATE]: String };
  const pglite = await PGlite.create({ ...options, parsers, extensions: { vector, pg_trgm } });
  await pglite.exec(`set timezone = 'UTC'`);
  return pglite;
}

/** Opens the embedded database in `directory` for this process alone. @throws Error if another process has it open */
export async function openEmbedded(directory: string): Promise<ConnectionSource> {
  const path = resolve(directory);
  // It contains password hashes.
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const unlock = lockDirectory(path);
  try {
    if (!existsSync(path)) await copyCluster(path);
    if (existsSync(path)) makePrivate(path);
    return embeddedSource(await open({ fs: new PrivateFiles(path) }), unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

/** Creates the directory from the cached cluster, if there is one: whole or not at all. */
async function copyCluster(path: string): Promise<void> {
  const part = `${path}.part`;
  rmSync(part, { recursive: true, force: true });
  const loadDataDir = await readInitdbCache();
  if (!loadDataDir) return;
  const pglite = await open({ fs: new PrivateFiles(part), loadDataDir });
  await pglite.close();
  renameSync(part, path);
}

/** Returns the single connection of a PGlite as a source. Units of work get it one after another, in order of arrival. */
export function embeddedSource(pglite: PGlite, onClosed: () => void = () => {}): ConnectionSource {
  const { isHeld, waitingCount, take, release } = createTurn();

  const query = async <Row>(on: Pick<Transaction, 'query'>, text: string, values: readonly unknown[] = []) => {
    const { rows, affectedRows = 0 } = await on.query<Row>(text, [...values]);
    return { rows, affectedRows };
  };
  const connection: Connection = {
    query: (text, values) => query(pglite, text, values),
    queryWith: ({ lockMsMax: _, ...access }, text, values) => {
      const apply = settingsStatement(access);
      if (!apply) return query(pglite, text, values);
      return pglite.transaction(async (transaction) => {
        await transaction.query(apply.text, apply.values);
        return query(transaction, text, values);
      });
    },
    execute: async <Row>(script: string) =>
      (await pglite.exec(script)).map(({ rows, affectedRows = 0 }) => ({ rows: rows as Row[], affectedRows })),
    release,
  };

  const acquire = async () => {
    if (pglite.closed) throw new DatabaseUnavailable('the embedded database is closed');
    await take();
    return connection;
  };

  return {
    isEmbedded: true,
    acquire,
    acquireShared: acquire,
    acquireUnlimited: acquire,
    check: async ({ query: ask }) => void (await ask('select 1')),
    replaceConnections: () => {},
    poolSize: () => ({ open: 1, idle: isHeld() ? 0 : 1, waiting: waitingCount(), max: 1 }),
    close: async () => {
      if (pglite.closed) return;
      await take();
      await pglite.close();
      release();
      onClosed();
    },
  };
}

/** A mutex with a bounded wait. */
function createTurn() {
  let isHeld = false;
  const waiting: (() => void)[] = [];
  return {
    isHeld: () => isHeld,
    waitingCount: () => waiting.length,
    take: () =>
      new Promise<void>((resolve, reject) => {
        if (!isHeld) {
          isHeld = true;
          return resolve();
        }
        const enter = () => {
          clearTimeout(timer);
          resolve();
        };
        const timer = setTimeout(() => {
          waiting.splice(waiting.indexOf(enter), 1);
          reject(new DatabaseUnavailable(`the embedded database was busy for ${waitMsMax / 1000} s`));
        }, waitMsMax);
        waiting.push(enter);
      }),
    release: () => {
      const next = waiting.shift();
      if (next) next();
      else isHeld = false;
    },
  };
}
