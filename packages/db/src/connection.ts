import {
  type DatabaseConnection,
  DefaultQueryExecutor,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresDialect,
  PostgresQueryCompiler,
} from 'kysely';
import type { Tables } from './schema/tables.ts';

export interface Answer<Row> {
  rows: Row[];
  affectedRows: number;
}

/** Makes the rest of a transaction a user's: under the role that row level security holds for. Parameters: the role, the user's id. */
export const scopeStatement = "select set_config('role', $1, true), set_config('app.user_id', $2, true)";
export const userRole = 'quoin_app';

/** One connection to a PostgreSQL, held by one caller. */
export interface Connection {
  /** Runs one statement. Rows come with JavaScript's types: Date, Buffer or Uint8Array, parsed json. */
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Answer<Row>>;
  /** Runs one statement for a user, with row level security, as a transaction by itself. The connection must be in none. */
  queryAs<Row = Record<string, unknown>>(
    userId: string,
    text: string,
    values: readonly unknown[],
  ): Promise<Answer<Row>>;
  /** Runs statements without parameters, separated by semicolons. */
  execute(script: string): Promise<void>;
  /** Gives the connection back. A broken one is closed, never used again. */
  release(isBroken?: boolean): void;
}

/** Told of every statement: runs it, and whatever is to be done around it. */
export type Observe = <T>(text: string, run: () => Promise<T>) => Promise<T>;

/** The same source, whose statements are observed; but for those of migrations. */
export function observed(source: ConnectionSource, observe: Observe): ConnectionSource {
  const connection = ({ query, queryAs, execute, release }: Connection): Connection => ({
    query: (text, values) => observe(text, () => query(text, values)),
    queryAs: (userId, text, values) => observe(text, () => queryAs(userId, text, values)),
    execute: (script) => observe(script, () => execute(script)),
    release,
  });
  return {
    ...source,
    acquire: async () => connection(await source.acquire()),
    acquireShared: async () => connection(await source.acquireShared()),
  };
}

/** How many connections there are, and how many callers wait for one. */
export interface Connections {
  open: number;
  idle: number;
  waiting: number;
  max: number;
}

/** Where connections come from: a pool of a server's, or the single one of the embedded database. */
export interface ConnectionSource {
  readonly isEmbedded: boolean;
  /** Waits a bounded time for a connection that is alive. @throws DatabaseUnavailable when there is none. */
  acquire(): Promise<Connection>;
  /** For one statement that is quickly done: others may use the same connection, each for one of theirs. */
  acquireShared(): Promise<Connection>;
  /** As `acquire`, without limits on how long statements may take: for migrations. */
  acquireUnlimited(): Promise<Connection>;
  connections(): Connections;
  close(): Promise<void>;
}

const compiler = new PostgresQueryCompiler();
const adapter = new PostgresAdapter();
const dialect = new PostgresDialect({
  pool: async () => Promise.reject(new Error('queries go through their unit of work')),
});

type Executed = Pick<DatabaseConnection, 'executeQuery'>;

/** A Kysely whose every query goes to `connection`: cheap to make, since it shares its compiler with all others. */
export function kyselyOn({ executeQuery }: Executed): Kysely<Tables> {
  const connection: DatabaseConnection = { executeQuery, streamQuery };
  const executor = new DefaultQueryExecutor(compiler, adapter, {
    provideConnection: (consumer) => consumer(connection),
  });
  return new Kysely<Tables>({ config: { dialect }, dialect, driver: new DummyDriver(), executor });
}

// biome-ignore lint/correctness/useYield: Kysely's interface asks for a generator, and streaming is not offered.
async function* streamQuery(): AsyncGenerator<never> {
  throw new Error('streaming is not supported: read pages');
}
