// The embedded database is loaded where it is used: beside a server it would only cost time and memory.

import { type ConnectionSource, type Observe, observed } from './connection.ts';
import { createDatabase, type Database } from './database.ts';
import { openServer, type PostgresOptions } from './postgres/postgres.ts';

/** Where the embedded database lies when nothing else is said, relative to the directory the process was started in. */
export const defaultDatabaseUrl = 'pglite://.data/postgres';

export interface ConnectOptions extends PostgresOptions {
  /** Told of every statement, for tracing. */
  observe?: Observe | undefined;
}

/**
 * Opens a database.
 *
 * - `pglite://DIR`: the embedded PostgreSQL in that directory, for this process alone.
 * - `memory://`: an embedded one that is gone with the process.
 * - `postgres://…` (or `postgresql://…`): a server. Connects on first use.
 *
 * @throws Error with a message for a person: a URL that is none of these, or a directory that another process has open.
 */
export async function connect(url: string, { observe, ...options }: ConnectOptions = {}): Promise<Database> {
  const source = await open(url, options);
  return createDatabase(observe ? observed(source, observe) : source);
}

async function open(url: string, options: PostgresOptions): Promise<ConnectionSource> {
  if (url === 'memory://') {
    const { embeddedSource, openInMemory } = await import('./pglite/pglite.ts');
    return embeddedSource(await openInMemory());
  }
  if (url.startsWith('pglite://') && url.length > 'pglite://'.length) {
    const { openEmbedded } = await import('./pglite/pglite.ts');
    return openEmbedded(url.slice('pglite://'.length));
  }
  if (/^postgres(ql)?:\/\//.test(url)) return openServer(url, options);
  throw new Error('DATABASE_URL must be postgres://…, pglite://DIRECTORY or memory://');
}
