import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { connect, type Database, migrations } from '@quoin/db';
import { colour, runCommand } from '@quoin/db/command';
import { type Config, readConfig } from '../config/config.ts';
import { createEmbedder } from '../documents/embedder.ts';
import { explain } from '../process/explain.ts';
import { observeDatabase } from './live-database.ts';

const usage = `Usage: npm run doctor

Checks what a start depends on (Node, configuration, port, database, pgvector, migrations, mail, Redis, embedding service) and says how to fix what is wrong.
Of a server it also reports what will hurt later: missing indexes, dead rows, bloat, rows past their retention, connections, old transactions, standbys.
Changes nothing in the database, sends no mail, and embeds one word.
Exit codes: 0 no problem, 1 a problem, 2 wrong usage.

Example: DATABASE_URL=postgres://user:password@host/database npm run doctor
`;

const nodeMajorMin = 24;
const [postgresMajorMin, postgresMajorMax] = [15, 18];
const pgvectorMin = [0, 7];
const answerMsMax = 5_000;

/** The result of a check: ok, a note, or a problem with its solution. */
interface Finding {
  state: 'ok' | 'note' | 'wrong';
  text: string;
}
const ok = (text: string): Finding => ({ state: 'ok', text });
const note = (text: string): Finding => ({ state: 'note', text });
const wrong = (text: string): Finding => ({ state: 'wrong', text });
/** Runs a check and prints its result. An error is a result too, so that the other checks run. */
type RunCheck = (subject: string, check: () => Promise<Finding>) => Promise<void>;

async function main(): Promise<number> {
  let hasProblem = false;
  const report = (subject: string, { state, text }: Finding) => {
    hasProblem ||= state === 'wrong';
    const mark = { ok: colour('green', 'ok   '), note: colour('yellow', 'note '), wrong: colour('red', 'wrong') }[
      state
    ];
    process.stdout.write(`${mark}  ${subject.padEnd(14)} ${text.replaceAll('\n', `\n${' '.repeat(22)}`)}\n`);
  };
  const run: RunCheck = async (subject, check) => {
    report(subject, await check().catch((error) => wrong(explain(error) ?? error.message)));
  };

  report('Node', node());
  let config: Config;
  try {
    config = readConfig();
    report('configuration', ok(`${config.environment}, from the environment and .env`));
  } catch (error) {
    report('configuration', wrong((error as Error).message));
    return 1;
  }
  await run('port', () => port(config));
  await database(config, run);
  await run('mail', () => mail(config));
  await run('Redis', () => redis(config));
  await run('embeddings', () => embeddings(config));
  return hasProblem ? 1 : 0;
}

function node(): Finding {
  const { version } = process;
  return Number.parseInt(version.slice(1), 10) >= nodeMajorMin
    ? ok(version)
    : wrong(`${version} is too old: npm ci installs Node ${nodeMajorMin} in the project, and npm run uses it`);
}

async function port({ host, port }: Config): Promise<Finding> {
  if (port === 0) return ok('any free port');
  const server = createServer().listen(port, host);
  try {
    await once(server, 'listening');
    return ok(`${port} is free`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE' && (await isOurs(port))) return note(`Quoin already runs on port ${port}`);
    throw Object.assign(error as Error, { port });
  } finally {
    server.close();
  }
}

/** Whether the server on this port answers as Quoin does. */
const isOurs = (port: number) =>
  fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(1_000) }).then(
    ({ headers }) => headers.has('x-request-id'),
    () => false,
  );

async function database(config: Config, run: RunCheck): Promise<void> {
  const { port, databaseUrl, databasePoolMax, databasePrepare, databaseDirectUrl, databaseReplicaUrl } = config;
  let open: Database | undefined;
  const directory = databaseUrl.startsWith('pglite://') ? databaseUrl.slice('pglite://'.length) : undefined;
  if (directory && !existsSync(directory)) {
    await run('database', async () => note(`embedded, in ${directory}: npm start creates it`));
    return;
  }
  await run('database', async () => {
    const options = {
      poolMax: databasePoolMax,
      prepare: databasePrepare,
      directUrl: databaseDirectUrl,
      replicaUrl: databaseReplicaUrl,
    };
    const opened = await connect(databaseUrl, options).catch(async (error: Error) => {
      if (error.message.includes('is in use by process') && (await isOurs(port))) return undefined;
      throw error;
    });
    if (!opened) return note(`embedded, in ${directory}: the server on port ${port} has it open`);
    const found = opened.isEmbedded
      ? ok(`embedded, ${databaseUrl}`)
      : await server(opened).catch(async (error) => {
          await opened.close();
          throw error;
        });
    open = opened;
    return found;
  });
  if (!open) return;
  const database = open;
  if (!database.isEmbedded) await run('roles', () => roles(database));
  await run('pgvector', () => pgvector(database));
  await run('migrations', () => pending(database));
  if (!database.isEmbedded && (await isCurrent(database))) {
    if (databaseReplicaUrl) await run('replica', () => replica(database));
    for (const { subject, findings } of await observeDatabase(database, config))
      await run(subject, async () => (findings.length > 0 ? note(findings.join('\n')) : ok('nothing to report')));
  }
  await database.close();
}

async function server(database: Database): Promise<Finding> {
  const [row] = await rowsOf<{ version: string; number: number; is_superuser: boolean }>(
    database,
    `select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
       rolsuper as is_superuser from pg_roles where rolname = current_user`,
  );
  const major = Math.floor((row?.number ?? 0) / 10_000);
  if (major < postgresMajorMin || major > postgresMajorMax)
    return wrong(`PostgreSQL ${row?.version} is not supported: use ${postgresMajorMin} to ${postgresMajorMax}`);
  return row?.is_superuser
    ? note(`PostgreSQL ${row.version}; the role is a superuser, which is unnecessary: use the owner of the database`)
    : ok(`PostgreSQL ${row?.version}`);
}

/** Whether the server runs with fewer privileges than migrations. */
async function roles(database: Database): Promise<Finding> {
  const [row] = await rowsOf<{ owned: number }>(
    database,
    `select count(*)::int as owned from pg_tables where schemaname = 'public' and pg_has_role(current_user, tableowner, 'member')`,
  );
  return row?.owned
    ? note(
        'this role owns the tables: an attacker who controls the server can change the schema and empty the audit trail\nhint: docs/operations.md, "Separate roles"',
      )
    : ok('this role owns no table');
}

async function pgvector(database: Database): Promise<Finding> {
  const [row] = await rowsOf<{ default_version: string; installed_version: string | null }>(
    database,
    `select default_version, installed_version from pg_available_extensions where name = 'vector'`,
  );
  if (!row)
    return wrong('not installed on the server\nhint: install it; the Debian package is postgresql-<version>-pgvector');
  const version = row.installed_version ?? row.default_version;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [majorMin = 0, minorMin = 0] = pgvectorMin;
  if (major < majorMin || (major === majorMin && minor < minorMin))
    return wrong(
      `${version} is too old: ${pgvectorMin.join('.')} or later is needed\nhint: update it on the server, then run: alter extension vector update`,
    );
  return ok(row.installed_version ? version : `${version}; the first migration creates the extension`);
}

const isCurrent = async (database: Database) =>
  (await migrations.history(database)).every(({ applied, checksum }) => applied && checksum !== undefined);

async function replica(database: Database): Promise<Finding> {
  await database.replica.system().users.list({ limit: 1 });
  const { lagSeconds } = database.replicaState() ?? {};
  return lagSeconds === undefined
    ? note('does not answer, so DATABASE_URL answers everything')
    : ok(`${Math.round(lagSeconds)} s behind`);
}

async function pending(database: Database): Promise<Finding> {
  const all = await migrations.history(database);
  const waiting = all.filter(({ applied }) => !applied).map(({ name }) => name);
  const unknown = all.filter(({ checksum }) => checksum === undefined).map(({ name }) => name);
  if (unknown.length > 0)
    return wrong(
      `applied by another version: ${unknown.join(', ')}\nhint: run that version, or revert its migrations with it`,
    );
  if (waiting.length === 0) return ok(`all ${all.length} are applied`);
  if (database.isEmbedded) return note(`${waiting.length} are pending; npm start applies them`);
  return wrong(`${waiting.length} are pending: ${waiting.join(', ')}\nhint: npm run db -- upgrade`);
}

async function mail({ smtpUrl, environment }: Config): Promise<Finding> {
  if (!smtpUrl) {
    const text = 'SMTP_URL is not set: mails are written to .data/outbox';
    return environment === 'production' ? wrong(`${text} and do not reach their recipients`) : note(text);
  }
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({
    url: smtpUrl,
    connectionTimeout: answerMsMax,
    greetingTimeout: answerMsMax,
    socketTimeout: answerMsMax,
  });
  try {
    await transport.verify();
    return ok(`${new URL(smtpUrl).host} accepts the connection`);
  } catch (error) {
    return wrong(
      `SMTP_URL: ${(error as Error).message}\nhint: check host, port, user and password; smtps:// is TLS from the first byte (port 465), smtp:// is not`,
    );
  } finally {
    transport.close();
  }
}

async function redis({ redisUrl, workers }: Config): Promise<Finding> {
  if (!redisUrl)
    return workers > 1
      ? note('REDIS_URL is not set: each process has rate limits of its own')
      : ok('not used: rate limits are counted in memory');
  const { createClient } = await import('@redis/client');
  const client = createClient({ url: redisUrl, socket: { connectTimeout: answerMsMax, reconnectStrategy: false } });
  client.on('error', () => {}); // `connect` rejects as well.
  try {
    await client.connect();
    await client.ping();
    return ok(`${new URL(redisUrl).host} answers`);
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return wrong(
      `REDIS_URL: ${message || code}\nhint: start it, or correct the URL; until then, each process has rate limits of its own`,
    );
  } finally {
    if (client.isOpen) client.destroy();
  }
}

async function embeddings({ embedding }: Config): Promise<Finding> {
  if (!embedding) return ok('not used: EMBEDDING_URL is not set, so documents are searched by words');
  try {
    await createEmbedder(embedding).embed(['word'], { timeoutMs: answerMsMax, attemptsMax: 1 });
    return ok(`${embedding.model} at ${new URL(embedding.url).host}`);
  } catch (error) {
    return wrong(
      `EMBEDDING_URL: ${(error as Error).message}\nhint: check the URL, EMBEDDING_MODEL and EMBEDDING_API_KEY; documents wait until it answers`,
    );
  }
}

async function rowsOf<Row>(database: Database, sql: string): Promise<Row[]> {
  const { rows } = await database.inspect((connection) => connection.query<Row>(sql));
  return rows;
}

await runCommand({ usage, main });
