/** The roles of units of work that row level security applies to. */
const [appRole, publicRole] = ['quoin_app', 'quoin_public'];

/** Whose rows row level security shows: those of a user, those of an organization to a member of it, or those that are public. None: every row. */
export interface RowAccess {
  userId?: string | undefined;
  organizationId?: string | undefined;
  /** The member who acts in the organization. */
  memberId?: string | undefined;
  isPublic?: boolean | undefined;
}

/** For whom a statement runs, and how long it may wait. Holds for the transaction of that statement. */
export interface StatementSettings extends RowAccess {
  /** Milliseconds that it may wait for each lock. The embedded database never waits. */
  lockMsMax?: number | undefined;
}

/** In the order that Citus needs to repeat them on other servers: the role is the last one. */
function settingsOf({ userId, organizationId, memberId, isPublic, lockMsMax }: StatementSettings) {
  const settings: [name: string, value: string][] = [];
  if (lockMsMax !== undefined) settings.push(['lock_timeout', String(Number(lockMsMax))]);
  if (userId !== undefined) settings.push(['app.user_id', checkedUuid(userId)]);
  if (organizationId !== undefined)
    settings.push(['app.organization_id', checkedUuid(organizationId)], ['app.member_id', checkedUuid(memberId ?? '')]);
  if (isPublic) settings.push(['role', publicRole]);
  else if (settings.some(([name]) => name.startsWith('app.'))) settings.push(['role', appRole]);
  return settings;
}

/** Returns statements that apply settings to the rest of a transaction. The values become part of them, because `set` takes no parameters. */
export const settingsScript = (settings: StatementSettings): string =>
  settingsOf(settings)
    .map(([name, value]) => `set local ${name} = '${value}'`)
    .join('; ');

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function checkedUuid(text: string): string {
  if (!uuid.test(text)) throw new Error('the id of a scope is not a UUID');
  return text;
}

/** As `settingsScript`, in one statement that can be prepared; undefined if there are no settings. */
export function settingsStatement(settings: StatementSettings): { text: string; values: string[] } | undefined {
  const list = settingsOf(settings);
  if (list.length === 0) return undefined;
  const calls = list.map(([name], index) => `set_config('${name}', $${index + 1}, true)`);
  return { text: `select ${calls.join(', ')}`, values: list.map(([, value]) => value) };
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
