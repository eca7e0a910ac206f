/** The role of a user's unit of work. Row level security applies to it. */
export const userRole = 'quoin_app';

/** For whom a statement runs, and how long it may wait. Holds for the transaction of that statement. */
export interface StatementSettings {
  /** Runs it with row level security for this user, instead of as the role that connected. */
  userId?: string | undefined;
  /** Milliseconds that it may wait for each lock. The embedded database never waits. */
  lockMsMax?: number | undefined;
}

/** Returns statements that apply settings to the rest of a transaction, in the order that Citus needs to repeat them on other servers. */
export function settingsScript({ userId, lockMsMax }: StatementSettings): string {
  return [
    ...(lockMsMax === undefined ? [] : [`set local lock_timeout = ${Number(lockMsMax)}`]),
    // The id becomes part of the statement, because `set` takes no parameters.
    ...(userId === undefined ? [] : [`set local app.user_id = '${checkedUuid(userId)}'`, `set local role ${userRole}`]),
  ].join('; ');
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function checkedUuid(text: string): string {
  if (!uuid.test(text)) throw new Error('scope.owner.userId is not a UUID');
  return text;
}

/** As `settingsScript`, in one statement that can be prepared; undefined if there are no settings. */
export function settingsStatement({
  userId,
  lockMsMax,
}: StatementSettings): { text: string; values: string[] } | undefined {
  const settings: [name: string, value: string][] = [];
  if (userId !== undefined) settings.push(['role', userRole], ['app.user_id', userId]);
  if (lockMsMax !== undefined) settings.push(['lock_timeout', String(lockMsMax)]);
  if (settings.length === 0) return undefined;
  const calls = settings.map(([name], index) => `set_config('${name}', $${index + 1}, true)`);
  return { text: `select ${calls.join(', ')}`, values: settings.map(([, value]) => value) };
}

export interface QueryResult<Row> {
  rows: Row[];
  affectedRows: number;
}

/** One connection to PostgreSQL, held by one caller. */
export interface Connection {
  /** Runs one statement. Rows have JavaScript types: Date, Buffer or Uint8Array, parsed JSON. */
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<QueryResult<Row>>;
  /** Runs one statement with settings, in a transaction of its own. The connection must not be in a transaction. */
  queryWith<Row = Record<string, unknown>>(
    settings: StatementSettings,
    text: string,
    values: readonly unknown[],
  ): Promise<QueryResult<Row>>;
  /** Runs statements without parameters, separated by semicolons. Resolves to the result of each. */
  execute<Row = Record<string, unknown>>(script: string): Promise<QueryResult<Row>[]>;
  /** Returns the connection to the pool, or closes it if it is broken. */
  release(isBroken?: boolean): void;
}

/** Where connections come from: the pool of a server, or the single connection of the embedded database. */
export interface ConnectionSource {
  readonly isEmbedded: boolean;
  /** Waits a bounded time for a live connection. @throws DatabaseUnavailable */
  acquire(): Promise<Connection>;
  /** As `acquire`, for one fast statement. Other callers may use the same connection at the same time, each for one fast statement of the same kind. */
  acquireShared(access: 'read' | 'write'): Promise<Connection>;
  /** As `acquire`, without limits on how long statements take: for migrations. */
  acquireUnlimited(): Promise<Connection>;
  /** Resolves if the server answers and has the role that the URL asks for. @throws an error with code 25006 if its role is another one */
  check(connection: Connection): Promise<void>;
  /** Replaces every connection that is open now before its next use. */
  replaceConnections(): void;
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
  const wrap = ({ query, queryWith, execute, release }: Connection): Connection => ({
    query: (text, values) => observe(text, () => query(text, values)),
    queryWith: (settings, text, values) => observe(text, () => queryWith(settings, text, values)),
    execute: (script) => observe(script, () => execute(script)),
    release,
  });
  return {
    ...source,
    acquire: async () => wrap(await source.acquire()),
    acquireShared: async (access) => wrap(await source.acquireShared(access)),
  };
}
