import { type ConnectionSource, type Observe, observed } from './connection.ts';
import { createDatabase, type Database } from './database.ts';
import { openServer, type PostgresOptions } from './postgres/postgres.ts';

/** Where the embedded database is by default, relative to the working directory. */
export const defaultDatabaseUrl = 'pglite://.data/postgres';

export interface ConnectOptions extends PostgresOptions {
  /** URL of a read replica, for reads that may be a moment old. */
  replicaUrl?: string | undefined;
  /** Wraps the execution of every statement, for tracing. */
  observe?: Observe | undefined;
}

/**
 * Opens a database.
 *
 * - `pglite://DIR`: the embedded PostgreSQL in that directory, for this process alone.
 * - `memory://`: an embedded PostgreSQL that ends with the process.
 * - `postgres://…` or `postgresql://…`: a server. Connects on first use.
 *
 * @throws Error for another URL, and for a directory that another process has open
 */
export async function connect(
  url: string,
  { observe, replicaUrl, ...options }: ConnectOptions = {},
): Promise<Database> {
  const watched = (source: ConnectionSource) => (observe ? observed(source, observe) : source);
  const source = watched(await open(url, options));
  const replica = replicaUrl ? watched(openServer(replicaUrl, { ...options, kindDefault: 'any' })) : undefined;
  return createDatabase(source, replica);
}

async function open(url: string, options: PostgresOptions): Promise<ConnectionSource> {
  if (/^postgres(ql)?:\/\//.test(url)) return openServer(url, options);
  const directory = /^pglite:\/\/(.+)$/.exec(url)?.[1];
  if (!directory && url !== 'memory://')
    throw new Error('DATABASE_URL must be postgres://…, pglite://DIRECTORY or memory://');
  // Loaded on demand: with a server it would only cost time and memory.
  const { embeddedSource, openEmbedded, openInMemory } = await import('./pglite/pglite.ts');
  return directory ? openEmbedded(directory) : embeddedSource(await openInMemory());
}
