import { resolve } from 'node:path';
import { type Database, DatabaseUnavailable, migrations } from '@quoin/db';
import { buildApp } from './app.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { Problem } from './errors.ts';
import { openDatabase } from './open-database.ts';

// The process: configuration, database, listen; and on SIGTERM or Ctrl-C drain and stop.

const drainMs = 10_000;
const usage = `Usage: npm start

Migrates the embedded database and starts the server; a PostgreSQL server (DATABASE_URL) is migrated with npm run db -- upgrade.
The configuration is the environment, or .env: .env.example lists every variable. Ctrl-C or SIGTERM stops it.
Exit codes: 0 stopped, 1 could not start.

Example: PORT=3000 npm start
`;

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    process.stdout.write(usage);
    return;
  }
  const config = readConfig();
  const database = await openDatabase(config);
  const app = await buildApp(config, database);

  await makeFirstAdmin(config, app);
  const url = await app.listen({ host: config.host, port: config.port });
  process.stdout.write(await welcome(config, database, url));
  stopOnSignal(app, database);
}

type App = Awaited<ReturnType<typeof buildApp>>;

/** FIRST_ADMIN_EMAIL becomes an admin, unless there is such an account already. */
async function makeFirstAdmin({ firstAdmin }: Config, { services, log }: App): Promise<void> {
  if (!firstAdmin) return;
  const isNew = await services.users.ensureAdmin(firstAdmin);
  if (isNew) log.info({ email: firstAdmin.email }, 'the first admin was made');
}

async function welcome({ databaseUrl, firstAdmin, smtpUrl }: Config, database: Database, url: string): Promise<string> {
  const lines = [`Quoin answers at ${url} · documentation: ${url}/docs`];
  if (database.isEmbedded) {
    const where =
      databaseUrl === 'memory://' ? 'in memory, gone when this stops' : resolve(databaseUrl.replace('pglite://', ''));
    lines.push(
      `Data: an embedded PostgreSQL, ${where}`,
      '      It is for development: one process, one connection, and safe against a crash of the process but not of the machine.',
    );
  } else {
    const pending = await migrations.pending(database).catch(() => undefined);
    if (pending === undefined) lines.push('Data: the PostgreSQL of DATABASE_URL does not answer yet');
    else if (pending.length > 0)
      lines.push(`Data: ${pending.length} migrations are pending: run npm run db -- upgrade`);
    else lines.push('Data: the PostgreSQL of DATABASE_URL');
  }
  if (!smtpUrl) lines.push('Mail: there is no SMTP_URL, so it is written to .data/outbox');
  if (!firstAdmin) {
    const stopped = database.isEmbedded ? ' (stop this first)' : '';
    lines.push(`Admin: npm run user -- create --email you@example.com --admin${stopped}`);
  }
  return `${lines.join('\n')}\n`;
}

function stopOnSignal(app: App, database: Database): void {
  const stop = (signal: NodeJS.Signals) => {
    process.once(signal, () => process.exit(1)); // asked twice: at once
    app.log.info({ signal }, 'stopping');
    app.drain();
    setTimeout(() => process.exit(1), drainMs).unref();
    // The database last: closing the app still writes what it has noted.
    app
      .close()
      .then(() => database.close())
      .then(
        () => process.exit(0),
        (error) => {
          app.log.error({ err: error }, 'could not stop cleanly');
          process.exit(1);
        },
      );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop);
}

/** What a person can do something about is a sentence; anything else is a bug, and keeps its stack. */
function explain(error: Error & { code?: string; port?: number }): string {
  if (error.code === 'EADDRINUSE') return `port ${error.port} is taken by another process: stop that one, or set PORT`;
  if (error instanceof Problem) return `FIRST_ADMIN_EMAIL, FIRST_ADMIN_PASSWORD: ${error.detail}`;
  if (error instanceof DatabaseUnavailable) {
    const { message = '' } = (error.cause ?? {}) as Error;
    return `${error.message}: ${message}. Is DATABASE_URL right, and was npm run db -- upgrade run?`;
  }
  const isForPeople =
    error instanceof ConfigError || error instanceof migrations.MigrationError || error.constructor === Error;
  return isForPeople ? error.message : (error.stack ?? error.message);
}

main().catch((error) => {
  process.stderr.write(`${explain(error)}\n`);
  process.exit(1);
});
