import cluster from 'node:cluster';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, migrations } from '@quoin/db';
import { fail, withProgress } from '@quoin/db/command';
import { destination, pino } from 'pino';
import { buildApp } from '../app.ts';
import { type Config, readConfig } from '../config/config.ts';
import { Problem } from '../http/errors.ts';
import { explain } from './explain.ts';
import { clusterMetrics, createMetrics, serveMetrics } from './metrics.ts';
import { openDatabase, waitForDatabase } from './open-database.ts';
import { startTracing } from './tracing.ts';
import { notifyStarted, onStopRequest, runWorkers } from './workers.ts';

// The process: configuration, database, listen; on SIGTERM or Ctrl-C drain and stop. With WORKERS it is the primary of several processes.

/** For requests that are in transit when draining begins. */
const inTransitMs = 100;
/** Log lines are written together: one by one, they took a tenth of the time of a request. */
const logBuffer = { minLength: 8 * 1024, periodicFlush: 100 };

const usage = `Usage: npm start

Migrates the embedded database and starts the server. Migrate a PostgreSQL server (DATABASE_URL) with npm run db -- upgrade.
Reads the configuration from the environment and .env; .env.example lists every variable. Ctrl-C or SIGTERM stops it, a second one at once.
With WORKERS, SIGHUP replaces the processes one by one. Exit codes: 0 stopped, 1 could not start, or not stop in time.

Example: PORT=3000 npm start
`;

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    process.stdout.write(usage);
    return;
  }
  const config = readConfig();
  await (config.workers > 1 && cluster.isPrimary ? runPrimary(config) : serve(config));
}

async function runPrimary(config: Config): Promise<void> {
  const log = pino({ level: config.logLevel });
  const metrics = config.hasMetrics ? await serveMetrics(config, await clusterMetrics()) : undefined;
  if (metrics) process.stdout.write(metricsLine(metrics));
  const code = await runWorkers(config, log);
  await metrics?.close();
  process.exit(code);
}

async function serve(config: Config): Promise<void> {
  const tracing = config.hasTracing ? await startTracing() : undefined;
  const database = await withProgress('opening the database', openDatabase(config, tracing));
  const metrics = config.hasMetrics ? await createMetrics() : undefined;
  const stream = destination({ fd: process.stdout.fd, sync: true, ...logBuffer });
  process.once('exit', () => stream.flushSync());
  const app = await buildApp(config, database, { log: { level: config.logLevel, stream }, metrics, tracing });
  const metricsServer = metrics && !cluster.isWorker ? await serveMetrics(config, metrics.render) : undefined;
  if (metricsServer) app.addHook('onClose', metricsServer.close);
  if (tracing)
    app.addHook('onClose', () =>
      tracing.stop().catch((err) => app.log.warn({ err }, 'could not send the last traces')),
    );
  // Listens before the database answers: the process is alive, but not ready.
  const url = await app.listen({ host: config.host, port: config.port });
  stopOnSignal(app, database, config);
  if (!database.isEmbedded)
    await waitForDatabase(database, config.databaseWaitSeconds, (err) =>
      app.log.warn({ err }, 'waiting for the database'),
    );
  await createFirstAdmin(config, app);
  if (!cluster.isWorker || cluster.worker?.id === 1) process.stdout.write(await startMessage(config, database, url));
  if (metricsServer) process.stdout.write(metricsLine(metricsServer));
  if (cluster.isWorker) notifyStarted();
}

const metricsLine = ({ url }: { url: string }) => `Metrics: ${url}\n`;

type App = Awaited<ReturnType<typeof buildApp>>;

/** Creates the admin of FIRST_ADMIN_EMAIL, unless the account exists. */
async function createFirstAdmin({ firstAdmin }: Config, { services, log }: App): Promise<void> {
  if (!firstAdmin) return;
  const isNew = await services.registration.ensureAdmin(firstAdmin);
  if (isNew) log.info({ email: firstAdmin.email }, 'created the first admin');
}

async function startMessage(
  { environment, host, hasDocs, databaseUrl, firstAdmin, smtpUrl, trustProxy }: Config,
  database: Database,
  url: string,
): Promise<string> {
  const lines = [`Quoin answers at ${url}${hasDocs ? ` · documentation: ${url}/docs` : ''}`];
  if (database.isEmbedded) {
    const where =
      databaseUrl === 'memory://' ? 'in memory, until the process ends' : resolve(databaseUrl.replace('pglite://', ''));
    lines.push(
      `Data: embedded PostgreSQL, ${where}`,
      '      For development: one process, one connection. It survives a crash of the process, but maybe not of the machine.',
    );
  } else {
    const pending = await migrations.pending(database).catch(() => undefined);
    if (pending === undefined) lines.push('Data: the PostgreSQL server of DATABASE_URL does not answer yet');
    else if (pending.length > 0)
      lines.push(`Data: ${pending.length} migrations are pending: run npm run db -- upgrade`);
    else lines.push('Data: the PostgreSQL server of DATABASE_URL');
  }
  if (!smtpUrl) lines.push('Mail: SMTP_URL is not set, so mails are written to .data/outbox');
  if (environment === 'production' && trustProxy === false && isLoopback(host))
    lines.push(
      'Proxy: TRUST_PROXY is false. Behind a reverse proxy, all clients share the address and the rate limits of the proxy',
    );
  if (!firstAdmin) {
    const stopped = database.isEmbedded ? ' (stop the server first)' : '';
    lines.push(`Admin: npm run user -- create --email you@example.com --admin${stopped}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Only programs on this machine can reach such an address. */
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
      app.log.error(`could not stop within ${shutdownSeconds} s`);
      process.exit(1);
    }, shutdownSeconds * 1000).unref();
    app.drain();
    await sleep(Math.max(delaySeconds * 1000, inTransitMs));
    try {
      // The database last: closing the app still writes.
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
    onStopRequest(() => {
      if (!isStopping) void stop(shutdownDelaySeconds);
    });
}

main().catch((error) => {
  const isFirstAdmin = error instanceof Problem;
  fail((isFirstAdmin ? `FIRST_ADMIN_EMAIL, FIRST_ADMIN_PASSWORD: ${error.detail}` : explain(error)) ?? error.stack);
  process.exit(1);
});
