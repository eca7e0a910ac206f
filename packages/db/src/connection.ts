/** The role of a user's unit of work. Row level security applies to it. */
export const userRole = 'quoin_app';

/** Makes the rest of a transaction a user's. Parameters: the role, the id of the user. */
export const scopeStatement = "select set_config('role', $1, true), set_config('app.user_id', $2, true)";

export interface QueryResult<Row> {
  rows: Row[];
  affectedRows: number;
}

/** One connection to PostgreSQL, held by one caller. */
export interface Connection {
  /** Runs one statement. Rows have JavaScript types: Date, Buffer or Uint8Array, parsed JSON. */
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<QueryResult<Row>>;
  /** Runs one statement as a user, with row level security, in a transaction of its own. The connection must not be in a transaction. */
  queryAs<Row = Record<string, unknown>>(
    userId: string,
    text: string,
    values: readonly unknown[],
  ): Promise<QueryResult<Row>>;
  /** Runs statements without parameters, separated by semicolons. */
  execute(script: string): Promise<void>;
  /** Returns the connection to the pool, or closes it if it is broken. */
  release(isBroken?: boolean): void;
}

/** Where connections come from: the pool of a server, or the single connection of the embedded database. */
export interface ConnectionSource {
  readonly isEmbedded: boolean;
  /** Waits a bounded time for a live connection. @throws DatabaseUnavailable */
  acquire(): Promise<Connection>;
  /** As `acquire`, for one fast read. Other callers may use the same connection at the same time, each for one fast read. */
  acquireShared(): Promise<Connection>;
  /** As `acquire`, without limits on how long statements take: for migrations. */
  acquireUnlimited(): Promise<Connection>;
  poolSize(): PoolSize;
  close(): Promise<void>;
}

export interface PoolSize {
  open: number;
  idle: number;
  /** Callers that wait for a connection. */
  waiting: number;
  max: number;
}

/** Wraps the execution of each statement, for tracing. */
export type Observe = <T>(text: string, run: () => Promise<T>) => Promise<T>;

/** Returns the same source with every statement observed, except those of migrations. */
export function observed(source: ConnectionSource, observe: Observe): ConnectionSource {
  const wrap = ({ query, queryAs, execute, release }: Connection): Connection => ({
    query: (text, values) => observe(text, () => query(text, values)),
    queryAs: (userId, text, values) => observe(text, () => queryAs(userId, text, values)),
    execute: (script) => observe(script, () => execute(script)),
    release,
  });
  return {
    ...source,
    acquire: async () => wrap(await source.acquire()),
    acquireShared: async () => wrap(await source.acquireShared()),
  };
}
