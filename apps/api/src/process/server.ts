import cluster from 'node:cluster';
import { resolve } from 'node:path';
import { type Database, migrations } from '@quoin/db';
import { fail, withProgress } from '@quoin/db/command';
import { pino } from 'pino';
import { buildApp } from '../app.ts';
import { type Config, readConfig } from '../config/config.ts';
import { Problem } from '../http/errors.ts';
import { explain } from './explain.ts';
import { standardOutput } from './log-destination.ts';
import { clusterMetrics, createMetrics, serveMetrics } from './metrics.ts';
import { openDatabase, waitForDatabase } from './open-database.ts';
import { startTracing } from './tracing.ts';
import { onDismissal, runWorkers, tellStarted } from './workers.ts';

// The process: configuration, database, listen; and on SIGTERM or Ctrl-C drain and stop. With WORKERS it is the primary of several.

/** For requests that have been sent, and not been read yet. */
const arrivingMs = 100;

const usage = `Usage: npm start

Migrates the embedded database and starts the server; a PostgreSQL server (DATABASE_URL) is migrated with npm run db -- upgrade.
The configuration is the environment, or .env: .env.example lists every variable. Ctrl-C or SIGTERM stops it, a second one at once.
With WORKERS, SIGHUP replaces the processes one by one. Exit codes: 0 stopped, 1 could not start, or not stop in time.

Example: PORT=3000 npm start
`;

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    process.stdout.write(usage);
    return;
  }
  const config = readConfig();
  await (config.workers > 1 && cluster.isPrimary ? lead(config) : serve(config));
}

/** The primary of several processes. */
async function lead(config: Config): Promise<void> {
  const log = pino({ level: config.logLevel });
  const served = config.hasMetrics ? await serveMetrics(config, await clusterMetrics()) : undefined;
  if (served) process.stdout.write(metricsLine(served));
  const code = await runWorkers(config, log);
  await served?.close();
  process.exit(code);
}

async function serve(config: Config): Promise<void> {
  const tracing = config.hasTracing ? await startTracing() : undefined;
  const database = await withProgress('opening the database', openDatabase(config, tracing));
  const metrics = config.hasMetrics ? await createMetrics() : undefined;
  const log = { level: config.logLevel, stream: standardOutput() };
  const app = await buildApp(config, database, { log, metrics, tracing });
  const served = metrics && !cluster.isWorker ? await serveMetrics(config, metrics.render) : undefined;
  if (served) app.addHook('onClose', served.close);
  if (tracing)
    app.addHook('onClose', () => tracing.stop().catch((err) => app.log.warn({ err }, 'the last traces were not sent')));
  // It answers before the database does: alive, but not ready.
  const url = await app.listen({ host: config.host, port: config.port });
  stopOnSignal(app, database, config);
  if (!database.isEmbedded)
    await waitForDatabase(database, config.databaseWaitSeconds, (err) =>
      app.log.warn({ err }, 'waiting for the database'),
    );
  await makeFirstAdmin(config, app);
  if (!cluster.isWorker || cluster.worker?.id === 1) process.stdout.write(await startMessage(config, database, url));
  if (served) process.stdout.write(metricsLine(served));
  if (cluster.isWorker) tellStarted();
}

const metricsLine = ({ url }: { url: string }) => `Metrics: ${url}\n`;

type App = Awaited<ReturnType<typeof buildApp>>;

/** FIRST_ADMIN_EMAIL becomes an admin, unless there is such an account already. */
async function makeFirstAdmin({ firstAdmin }: Config, { services, log }: App): Promise<void> {
  if (!firstAdmin) return;
  const isNew = await services.users.ensureAdmin(firstAdmin);
  if (isNew) log.info({ email: firstAdmin.email }, 'the first admin was made');
}

async function startMessage(
  { environment, host, hasDocs, databaseUrl, firstAdmin, smtpUrl, trustProxy }: Config,
  database: Database,
  url: string,
): Promise<string> {
  const lines = [`Quoin answers at ${url}${hasDocs ? ` · documentation: ${url}/docs` : ''}`];
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
  if (environment === 'production' && trustProxy === false && isLoopback(host))
    lines.push(
      'Proxy: TRUST_PROXY is false. Behind a reverse proxy all clients then share one address, and its rate limits',
    );
  if (!firstAdmin) {
    const stopped = database.isEmbedded ? ' (stop this first)' : '';
    lines.push(`Admin: npm run user -- create --email you@example.com --admin${stopped}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Only a proxy on this machine can reach the server. */
const isLoopback = (host: string) => /^(127\.|::1$|localhost$)/.test(host);

function stopOnSignal(
  app: App,
  database: Database,
  { shutdownSeconds, shutdownDelaySeconds }: Pick<Config, 'shutdownSeconds' | 'shutdownDelaySeconds'>,
): void {
  let isStopping = false;
  const stop = async (delaySeconds: number) => {
    isStopping = true;
    app.log.info('stopping');
    setTimeout(() => {
      app.log.error(`not everything ended within ${shutdownSeconds} s`);
      process.exit(1);
    }, shutdownSeconds * 1000).unref();
    app.drain();
    await new Promise((resolve) => setTimeout(resolve, Math.max(delaySeconds * 1000, arrivingMs)));
    try {
      // The database last: closing the app still writes what it has noted.
      await app.close();
      await database.close();
      process.exit(0);
    } catch (error) {
      app.log.error({ err: error }, 'could not stop cleanly');
      process.exit(1);
    }
  };
  const onSignal = (delaySeconds: number) => () => {
    if (isStopping) process.exit(1);
    void stop(delaySeconds);
  };
  process.on('SIGTERM', onSignal(shutdownDelaySeconds));
  if (!cluster.isWorker) process.on('SIGINT', onSignal(0));
  else
    onDismissal(() => {
      if (!isStopping) void stop(shutdownDelaySeconds);
    });
}

main().catch((error) => {
  const isFirstAdmin = error instanceof Problem;
  fail((isFirstAdmin ? `FIRST_ADMIN_EMAIL, FIRST_ADMIN_PASSWORD: ${error.detail}` : explain(error)) ?? error.stack);
  process.exit(1);
});
