import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { connect, type Database, migrations } from '@quoin/db';
import { colour, runCommand } from '@quoin/db/command';
import { type Config, readConfig } from '../config/config.ts';
import { createEmbedder } from '../documents/embedder.ts';
import { explain } from '../process/explain.ts';

const usage = `Usage: npm run doctor

Looks at what a start depends on (Node, the configuration, the port, the database, pgvector, migrations, mail, Redis, the embedding service) and says what to do
where something is wrong. It changes nothing in the database, sends no mail, and asks the embedding service for one word.
Exit codes: 0 all is well, 1 something is not, 2 the command was not understood.

Example: DATABASE_URL=postgres://user:password@host/database npm run doctor
`;

const nodeMajorMin = 24;
const [postgresMajorMin, postgresMajorMax] = [15, 18];
const pgvectorMin = [0, 7];
const answerMsMax = 5_000;

/** What was found: fine, fine but worth knowing, or wrong, with what to do about it. */
interface Finding {
  state: 'ok' | 'note' | 'wrong';
  text: string;
}
const ok = (text: string): Finding => ({ state: 'ok', text });
const note = (text: string): Finding => ({ state: 'note', text });
const wrong = (text: string): Finding => ({ state: 'wrong', text });

async function main(): Promise<number> {
  let isWell = true;
  const tell = (subject: string, { state, text }: Finding) => {
    isWell &&= state !== 'wrong';
    const mark = { ok: colour('green', 'ok   '), note: colour('yellow', 'note '), wrong: colour('red', 'wrong') }[
      state
    ];
    process.stdout.write(`${mark}  ${subject.padEnd(14)} ${text.replaceAll('\n', `\n${' '.repeat(22)}`)}\n`);
  };
  const look = async (subject: string, find: () => Promise<Finding>) => {
    // Whatever is thrown is a finding: the other checks go on.
    tell(subject, await find().catch((error) => wrong(explain(error) ?? error.message)));
  };

  tell('Node', node());
  let config: Config;
  try {
    config = readConfig();
    tell('configuration', ok(`${config.environment}, from the environment and .env`));
  } catch (error) {
    tell('configuration', wrong((error as Error).message));
    return 1;
  }
  await look('port', () => port(config));
  await database(config, look);
  await look('mail', () => mail(config));
  await look('Redis', () => redis(config));
  await look('embeddings', () => embeddings(config));
  return isWell ? 0 : 1;
}

function node(): Finding {
  const { version } = process;
  return Number.parseInt(version.slice(1), 10) >= nodeMajorMin
    ? ok(version)
    : wrong(`${version} is too old: npm ci installs Node ${nodeMajorMin} beside the project, and npm run takes that`);
}

async function port({ host, port }: Config): Promise<Finding> {
  if (port === 0) return ok('any that is free');
  const server = createServer().listen(port, host);
  try {
    await once(server, 'listening');
    return ok(`${port} is free`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE' && (await isOurs(port))) return note(`a server of ours answers at port ${port} already`);
    throw Object.assign(error as Error, { port });
  } finally {
    server.close();
  }
}

/** Whether what listens there answers as ours does, and at once. */
const isOurs = (port: number) =>
  fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(1_000) }).then(
    ({ headers }) => headers.has('x-request-id'),
    () => false,
  );

async function database(
  { databaseUrl, databasePoolMax, databasePrepare, databaseDirectUrl }: Config,
  look: (subject: string, find: () => Promise<Finding>) => Promise<void>,
): Promise<void> {
  let open: Database | undefined;
  const directory = databaseUrl.startsWith('pglite://') ? databaseUrl.slice('pglite://'.length) : undefined;
  if (directory && !existsSync(directory)) {
    await look('database', async () => note(`embedded, in ${directory}: npm start makes it`));
    return;
  }
  await look('database', async () => {
    const options = { poolMax: databasePoolMax, prepare: databasePrepare, directUrl: databaseDirectUrl };
    const opened = await connect(databaseUrl, options);
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
  if (!database.isEmbedded) await look('roles', () => roles(database));
  await look('pgvector', () => pgvector(database));
  await look('migrations', () => pending(database));
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
    return wrong(
      `PostgreSQL ${row?.version} is not among those that are supported: ${postgresMajorMin} to ${postgresMajorMax}`,
    );
  return row?.is_superuser
    ? note(
        `PostgreSQL ${row.version}; its user is a superuser, who needs not be: give it a role that owns the database`,
      )
    : ok(`PostgreSQL ${row?.version}`);
}

/** Whether the server runs with fewer rights than migrations do. */
async function roles(database: Database): Promise<Finding> {
  const [row] = await rowsOf<{ owned: number }>(
    database,
    `select count(*)::int as owned from pg_tables where schemaname = 'public' and pg_has_role(current_user, tableowner, 'member')`,
  );
  return row?.owned
    ? note(
        'this role owns the tables: an attacker in control of the server can change the schema and empty the audit trail\nhint: docs/operations.md, "Separate roles"',
      )
    : ok('this role reads and writes rows, and owns no table');
}

async function pgvector(database: Database): Promise<Finding> {
  const [row] = await rowsOf<{ default_version: string; installed_version: string | null }>(
    database,
    `select default_version, installed_version from pg_available_extensions where name = 'vector'`,
  );
  if (!row)
    return wrong(
      'is not installed on this server\nhint: install it there; the Debian package is postgresql-<version>-pgvector',
    );
  const version = row.installed_version ?? row.default_version;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [majorMin = 0, minorMin = 0] = pgvectorMin;
  if (major < majorMin || (major === majorMin && minor < minorMin))
    return wrong(
      `${version} is too old: ${pgvectorMin.join('.')} or later\nhint: update it on the server, then run there: alter extension vector update`,
    );
  return ok(row.installed_version ? version : `${version}, which the first migration makes use of`);
}

async function pending(database: Database): Promise<Finding> {
  const all = await migrations.history(database);
  const waiting = all.filter(({ appliedAt }) => !appliedAt).map(({ name }) => name);
  const unknown = all.filter(({ isUnknown }) => isUnknown).map(({ name }) => name);
  if (unknown.length > 0)
    return wrong(
      `a later version has been at work: ${unknown.join(', ')}\nhint: run that version, or take its migrations back with it`,
    );
  if (waiting.length === 0) return ok(`all ${all.length} are applied`);
  if (database.isEmbedded) return note(`${waiting.length} are pending; npm start applies them`);
  return wrong(`${waiting.length} are pending: ${waiting.join(', ')}\nhint: npm run db -- upgrade`);
}

async function mail({ smtpUrl, environment }: Config): Promise<Finding> {
  if (!smtpUrl) {
    const text = 'there is no SMTP_URL: mails are written to .data/outbox';
    return environment === 'production' ? wrong(`${text}, and nobody gets them`) : note(text);
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
    return ok(`${new URL(smtpUrl).host} lets us in`);
  } catch (error) {
    return wrong(
      `SMTP_URL: ${(error as Error).message}\nhint: check host, port, user and password in it; smtps:// is TLS from the first byte (465), smtp:// is not`,
    );
  } finally {
    transport.close();
  }
}

async function redis({ redisUrl, workers }: Config): Promise<Finding> {
  if (!redisUrl)
    return workers > 1
      ? note('there is no REDIS_URL: each of the processes counts its throttles for itself')
      : ok('not used: throttles are counted in memory');
  const { createClient } = await import('@redis/client');
  const client = createClient({ url: redisUrl, socket: { connectTimeout: answerMsMax, reconnectStrategy: false } });
  client.on('error', () => {}); // it rejects as well
  try {
    await client.connect();
    await client.ping();
    return ok(`${new URL(redisUrl).host} answers`);
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return wrong(
      `REDIS_URL: ${message || code}\nhint: start it, or correct the URL; until it answers, every process throttles by its own memory`,
    );
  } finally {
    if (client.isOpen) client.destroy();
  }
}

async function embeddings({ embedding }: Config): Promise<Finding> {
  if (!embedding) return ok('not used: there is no EMBEDDING_URL, so documents are found by their words');
  try {
    await createEmbedder(embedding).embed(['word'], { timeoutMs: answerMsMax, tries: 1 });
    return ok(`${embedding.model}, by ${new URL(embedding.url).host}`);
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
