import pg from 'pg';
import {
  type Connection,
  type ConnectionSource,
  type StatementSettings,
  settingsScript,
  settingsStatement,
} from '../connection.ts';
import { DatabaseUnavailable, toPublicError } from '../errors.ts';
import { checkServer, clientFor, type HostClient } from './hosts.ts';
import { attempt, liveClients, unanswered } from './live-clients.ts';
import { parseServerUrl, type SessionKind } from './server-url.ts';
import { sharedConnections } from './shared-connections.ts';
import { parseTimestamp } from './timestamp.ts';
import { runTogether } from './wire.ts';

export interface PostgresOptions {
  /** Maximum number of connections. Default 10. */
  poolMax?: number;
  /** Whether to prepare statements, once per connection. False behind a pooler without prepared statements. Default true. */
  prepare?: boolean;
  /** URL of the server itself, for migrations, if the other URL leads to a pooler. */
  directUrl?: string | undefined;
  /** Which servers are used if the URL has no `target_session_attrs`. Default `read-write`. */
  kindDefault?: SessionKind;
  /** Age at which a connection is replaced, so that changes of roles and of the schema, and failovers, reach all of them. Default 1,800. */
  lifetimeSeconds?: number;
}

const connectMsMax = 5_000;
const statementMsMax = 15_000;
/** Timeout of the client, longer than `statement_timeout`. It applies only if the connection does not respond. */
const answerMsMax = statementMsMax + 5_000;
const idleMsMax = 30_000;
const preparedMax = 1_000;
/** Callers that may wait per connection: a few tenths of a second of work. */
const waitingMaxPerConnection = 100;

/** Returns the connection pool of a PostgreSQL server. Connects on first use. */
export function openServer(
  url: string,
  { poolMax = 10, prepare = true, directUrl, kindDefault, lifetimeSeconds = 1_800 }: PostgresOptions = {},
): ConnectionSource {
  const server = parseServerUrl(url, kindDefault);
  const Client = clientFor(server);
  const directServer = directUrl ? parseServerUrl(directUrl) : server;
  const DirectClient = clientFor(directServer);
  const pool = new pg.Pool({
    Client,
    max: poolMax,
    pipeline: true,
    types: { getTypeParser },
    connectionTimeoutMillis: connectMsMax,
    idleTimeoutMillis: idleMsMax,
    maxLifetimeSeconds: lifetimeSeconds,
    // A pooler refuses to pass these on. It has limits of its own.
    ...(prepare && { statement_timeout: statementMsMax, idle_in_transaction_session_timeout: statementMsMax }),
    query_timeout: answerMsMax,
  });
  const nameOf = prepare ? statementNames() : () => undefined;
  const { connect, release, replaceAll } = liveClients(pool, Client, server.hosts.length);
  const statementsOf = (client: pg.PoolClient) => statementsOn(client, nameOf);

  const acquireClient = async () => {
    if (pool.waitingCount >= poolMax * waitingMaxPerConnection)
      throw new DatabaseUnavailable(`${pool.waitingCount} callers are waiting for a database connection`);
    return connect().catch((cause) => {
      throw new DatabaseUnavailable('no database connection', { cause });
    });
  };
  const acquire = async (): Promise<Connection> => {
    const client = await acquireClient();
    return { ...statementsOf(client), release: (isBroken = false) => release(client, isBroken) };
  };
  const clients = { acquire: acquireClient, statementsOn: statementsOf, release };
  // Apart, so that a read never waits behind a write: for a lock, for the disk, or for a synchronous standby.
  const shared = { read: sharedConnections(clients), write: sharedConnections(clients) };

  const acquireUnlimited = async (): Promise<Connection> => {
    const client = await attempt(directServer.hosts.length, async () => {
      const one = new DirectClient({ connectionTimeoutMillis: connectMsMax });
      await one.connect();
      return one;
    }).catch((error) => {
      throw toPublicError(error);
    });
    return { ...statementsOn(client, () => undefined), release: () => void client.end().catch(() => {}) };
  };

  return {
    isEmbedded: false,
    acquire,
    acquireShared: (access) => shared[access](),
    acquireUnlimited,
    check: async ({ query }) => {
      await query('select 1');
      await checkServer(query, server.kind);
    },
    replaceConnections: replaceAll,
    poolSize: () => ({ open: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount, max: poolMax }),
    close: () => (pool.ended ? Promise.resolve() : pool.end()),
  };
}

function statementsOn(
  client: pg.ClientBase,
  nameOf: (text: string) => string | undefined,
): Omit<Connection, 'release'> {
  // `pg` formats a Date in the local time zone, which takes longer than the rest of a short statement.
  const parameter = (value: unknown) => (value instanceof Date ? value.toISOString() : value);
  const statement = (text: string, values: readonly unknown[]) => ({
    text,
    values: values.map(parameter),
    name: nameOf(text),
  });
  const timed = async <T>(running: Promise<T>) => {
    try {
      return await running;
    } catch (error) {
      if ((error as Error).message === 'Query read timeout') unanswered.add(client);
      throw error;
    }
  };
  const toResult = <Row>({ rows, rowCount }: pg.QueryResult) => ({ rows: rows as Row[], affectedRows: rowCount ?? 0 });
  const resultOf = async <Row>(running: Promise<pg.QueryResult>) => toResult<Row>(await timed(running));
  return {
    query: <Row>(text: string, values: readonly unknown[] = []) =>
      resultOf<Row>(client.query(statement(text, values) as pg.QueryConfig)),
    queryWith: <Row>(settings: StatementSettings, text: string, values: readonly unknown[]) => {
      const apply = settingsStatement(settings);
      const last = statement(text, values);
      // Citus repeats `set local` on the servers that have the rows, and not set_config().
      if (apply && (client as HostClient).isDistributed) {
        const begun = client.query(`begin; ${settingsScript(settings)}`);
        const done = client.query(last as pg.QueryConfig);
        const committed = client.query('commit');
        return resultOf<Row>(Promise.all([begun, done, committed]).then(([, result]) => result));
      }
      return resultOf<Row>(
        apply ? runTogether(client, statement(apply.text, apply.values), last) : client.query(last as pg.QueryConfig),
      );
    },
    // pg returns an array if there are several statements.
    execute: async <Row>(script: string) => [await timed(client.query(script))].flat().map(toResult<Row>),
  };
}

const getTypeParser = ((oid: number, format?: 'text' | 'binary') => {
  if (format !== 'binary' && oid === pg.types.builtins.TIMESTAMPTZ) return parseTimestamp;
  // A date has no time zone, so it is no Date.
  if (format !== 'binary' && oid === pg.types.builtins.DATE) return String;
  return pg.types.getTypeParser(oid, format as 'text');
}) as typeof pg.types.getTypeParser;

/** Names of prepared statements by their text. Bounded, because a server keeps each one per connection. */
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
