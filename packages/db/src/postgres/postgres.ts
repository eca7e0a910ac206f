import { readFileSync } from 'node:fs';
import pg from 'pg';
import type { Connection, ConnectionSource } from '../connection.ts';
import { DatabaseUnavailable, explain } from '../unavailable.ts';
import { parseMoment } from './moment.ts';
import { sharedConnections } from './shared-connections.ts';
import { runStatement } from './wire.ts';

export interface PostgresOptions {
  /** Connections at most. Default 10. */
  poolMax?: number;
  /** Whether statements are prepared once per connection. False behind a pooler that knows none. Default true. */
  prepare?: boolean;
  /** The server itself, for migrations, where the URL leads to a pooler that gives no session of one's own. */
  directUrl?: string | undefined;
}

const connectMsMax = 5_000;
const statementMsMax = 15_000;
/** The server ends a statement before the client gives up on it; only a connection that answers nothing gets this far. */
const answerMsMax = statementMsMax + 5_000;
const idleMsBeforePing = 10_000;
const pingMsMax = 2_000;
const preparedMax = 1_000;
/** Callers that wait for a connection, for each one that there is: at most some tenths of a second of work. */
const waitingMaxPerConnection = 100;

/** Connections of a pool on a PostgreSQL server. Nothing is connected until the first one is asked for. */
export function openServer(
  url: string,
  { poolMax = 10, prepare = true, directUrl }: PostgresOptions = {},
): ConnectionSource {
  const config = parseServerUrl(url);
  const directConfig = directUrl ? parseServerUrl(directUrl) : config;
  const pool = new pg.Pool({
    ...config,
    max: poolMax,
    pipeline: true,
    types: { getTypeParser },
    connectionTimeoutMillis: connectMsMax,
    idleTimeoutMillis: 30_000,
    // A pooler refuses to hand these on; it has limits of its own.
    ...(prepare && { statement_timeout: statementMsMax, idle_in_transaction_session_timeout: statementMsMax }),
    query_timeout: answerMsMax,
  });
  const statementName = prepare ? statementNames() : () => undefined;
  const lastUsedAt = new WeakMap<pg.PoolClient, number>();
  // When a connection last turned out to be dead: those that are older than that are asked before they are used.
  let suspectedAt = 0;
  const suspect = () => {
    suspectedAt = performance.now();
  };
  // An idle client's end (a restart of the server, say) is no event for us: the pool has already dropped it.
  pool.on('error', suspect);
  // A client that is in use reports its end to its query as well; without a listener the event would end the process.
  pool.on('connect', (client) => client.on('error', suspect));

  const isAlive = async (client: pg.PoolClient) => {
    const usedAt = lastUsedAt.get(client);
    if (usedAt === undefined || (usedAt > suspectedAt && performance.now() - usedAt < idleMsBeforePing)) return true;
    const ping: pg.QueryConfig & { query_timeout: number } = { text: '', query_timeout: pingMsMax };
    return client.query(ping).then(
      () => true,
      () => false,
    );
  };

  const connect = async (): Promise<pg.PoolClient> => {
    // Ends: every round that does not return closes one of at most `poolMax` connections that were there before.
    for (;;) {
      const client = await pool.connect();
      if (await isAlive(client)) return client;
      suspect();
      client.release(true);
    }
  };

  const acquireClient = async () => {
    // Whoever would wait in vain is told now.
    if (pool.waitingCount >= poolMax * waitingMaxPerConnection)
      throw new DatabaseUnavailable(`${pool.waitingCount} callers wait for a connection to the database`);
    return connect().catch((cause) => {
      suspect();
      throw new DatabaseUnavailable('no connection to the database', { cause });
    });
  };
  const release = (client: pg.PoolClient, isBroken: boolean) => {
    if (isBroken) suspect();
    lastUsedAt.set(client, performance.now());
    client.release(isBroken);
  };
  const acquire = async (): Promise<Connection> => {
    const client = await acquireClient();
    return { ...queriesOn(client, statementName), release: (isBroken = false) => release(client, isBroken) };
  };

  const acquireShared = sharedConnections({
    acquire: acquireClient,
    queriesOn: (client) => queriesOn(client, statementName),
    release,
  });

  const acquireUnlimited = async (): Promise<Connection> => {
    const client = new pg.Client({ ...directConfig, connectionTimeoutMillis: connectMsMax });
    client.on('error', () => {}); // its query fails as well
    await client.connect().catch((error) => {
      throw explain(error);
    });
    return { ...queriesOn(client, () => undefined), release: () => void client.end().catch(() => {}) };
  };

  return {
    isEmbedded: false,
    acquire,
    acquireShared,
    acquireUnlimited,
    connections: () => ({
      open: pool.totalCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount,
      max: poolMax,
    }),
    close: () => (pool.ended ? Promise.resolve() : pool.end()),
  };
}

function queriesOn(client: pg.ClientBase, nameOf: (text: string) => string | undefined) {
  // `pg` writes a Date in the local time zone, which takes it longer than all else about a short statement.
  const parameter = (value: unknown) => (value instanceof Date ? value.toISOString() : value);
  const statement = (text: string, values: readonly unknown[]) => ({
    text,
    values: values.map(parameter),
    name: nameOf(text),
  });
  return {
    query: async <Row>(text: string, values: readonly unknown[] = []) =>
      answerOf<Row>(await runStatement(client, statement(text, values))),
    queryAs: async <Row>(userId: string, text: string, values: readonly unknown[]) =>
      answerOf<Row>(await runStatement(client, statement(text, values), userId)),
    execute: async (script: string) => void (await client.query(script)),
  };
}

const answerOf = <Row>({ rows, rowCount }: pg.QueryResult) => ({ rows: rows as Row[], affectedRows: rowCount ?? 0 });

/** What makes a JavaScript value out of a text, by the type's number. */
const getTypeParser = ((oid: number, format?: 'text' | 'binary') =>
  oid === pg.types.builtins.TIMESTAMPTZ && format !== 'binary'
    ? parseMoment
    : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser;

/** Names for prepared statements, by their text; bounded, since a server keeps every one of them for every connection. */
function statementNames() {
  const names = new Map<string, string>();
  return (text: string) => {
    const known = names.get(text);
    if (known || names.size >= preparedMax) return known;
    const name = `q${names.size}`;
    names.set(text, name);
    return name;
  };
}

/**
 * What `pg` needs to know from a URL. `sslmode` is interpreted here, because `pg` reads it otherwise than libpq and will change
 * its mind in version 9: `disable` is plain text, `no-verify` encrypts to whoever answers, and `require`, `verify-ca` and
 * `verify-full` all mean the last: encrypted, and the server's certificate and name are verified (`sslrootcert` names a file of CAs).
 */
export function parseServerUrl(url: string): pg.ClientConfig {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new Error('DATABASE_URL is not a URL: write postgres://user:password@host:5432/database');
  }
  const take = (name: string) => {
    const value = parsed.searchParams.get(name);
    parsed.searchParams.delete(name);
    return value;
  };
  const mode = take('sslmode');
  const rootCertificate = take('sslrootcert');
  const channelBinding = take('channel_binding');
  const config = {
    connectionString: parsed.href,
    enableChannelBinding: channelBinding !== 'disable',
    application_name: 'quoin',
  };
  const keepAlive = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 };
  switch (mode) {
    case null:
      return { ...config, ...keepAlive };
    case 'disable':
      return { ...config, ...keepAlive, ssl: false };
    case 'no-verify':
      return { ...config, ...keepAlive, ssl: { rejectUnauthorized: false } };
    case 'require':
    case 'verify-ca':
    case 'verify-full': {
      const ca = rootCertificate && rootCertificate !== 'system' ? { ca: readFileSync(rootCertificate, 'utf8') } : {};
      return { ...config, ...keepAlive, ssl: { rejectUnauthorized: true, ...ca } };
    }
    default:
      throw new Error(`DATABASE_URL: sslmode=${mode} is not supported: use disable, no-verify, require or verify-full`);
  }
}
