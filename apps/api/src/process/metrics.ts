import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Database } from '@quoin/db';
import { jobNameOf } from '../queue/boss.ts';

// Prometheus metrics of the process, its requests, its pool and its jobs (METRICS=true). docs/operations.md says what to look at.

const requestSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Creates the metrics of this process. Loads the library on demand, because it costs memory. */
export async function createMetrics() {
  const { AggregatorRegistry, collectDefaultMetrics, Gauge, Histogram, Registry } = await import('prom-client');
  const registry = new Registry();
  // In a worker: answers the primary, which collects the metrics of all workers.
  AggregatorRegistry.setRegistries(registry);
  new AggregatorRegistry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const requests = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the first byte of a request to the last byte of its response.',
    labelNames: ['method', 'route', 'status'],
    buckets: requestSeconds,
    registers,
  });
  const jobs = new Histogram({
    name: 'quoin_job_duration_seconds',
    help: 'Time of the attempts of jobs, by outcome: done, retried (failed, and tried again later) or failed (for good).',
    labelNames: ['job', 'outcome'],
    buckets: [0.01, 0.1, 1, 10, 60, 600],
    registers,
  });

  return {
    requestEnded: (method: string, route: string, status: number, seconds: number) =>
      requests.observe({ method, route, status }, seconds),

    jobEnded: (job: string, outcome: string, seconds: number) => jobs.observe({ job, outcome }, seconds),

    /** Reads the state of the pool, of the hashing and of the job queues at each scrape. */
    watch: (database: Database, hashing: () => { running: number; waiting: number }, jobNames: readonly string[]) => {
      const gauge = (name: string, help: string, state: string, read: () => Record<string, number>) =>
        new Gauge({
          name,
          help,
          labelNames: [state],
          registers,
          collect() {
            for (const [key, value] of Object.entries(read())) this.set({ [state]: key }, value);
          },
        });
      gauge('quoin_database_connections', 'Connections of the pool, and callers that wait for one.', 'state', () => ({
        ...database.poolSize(),
      }));
      gauge('quoin_password_hashing', 'Passwords being hashed, and passwords waiting.', 'state', () => {
        const { running, waiting } = hashing();
        return { running, waiting };
      });
      new Gauge({
        name: 'quoin_database_replica_lag_seconds',
        help: 'Seconds that the read replica is behind the primary, when it was last used. Absent without a replica that answers.',
        labelNames: ['server'],
        registers,
        aggregator: 'max',
        collect() {
          this.reset();
          const { lagSeconds } = database.replicaState() ?? {};
          if (lagSeconds !== undefined) this.set({ server: 'replica' }, lagSeconds);
        },
      });
      new Gauge({
        name: 'quoin_jobs',
        help: 'Jobs in the queue by state, over all processes.',
        labelNames: ['job', 'state'],
        registers,
        aggregator: 'max',
        async collect() {
          this.reset();
          // Without a database the gauge is absent.
          const counts = await database
            .system()
            .jobs.count()
            .catch(() => undefined);
          if (!counts) return;
          for (const job of jobNames)
            for (const state of ['created', 'retry', 'active', 'failed']) this.set({ job, state }, 0);
          for (const { name, state, count } of counts) this.set({ job: jobNameOf(name), state }, count);
        },
      });
    },

    render: () => registry.metrics(),
  };
}

export type Metrics = Awaited<ReturnType<typeof createMetrics>>;

/** Returns the metrics of all workers, for the primary. */
export async function clusterMetrics(): Promise<() => Promise<string>> {
  const { AggregatorRegistry } = await import('prom-client');
  const aggregator = new AggregatorRegistry();
  return () => aggregator.clusterMetrics();
}

/** Serves `GET /metrics` on a port of its own, so that clients of the API cannot read it. */
export async function serveMetrics(
  { host, metricsPort }: { host: string; metricsPort: number },
  render: () => Promise<string>,
): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer(async ({ method, url }, response) => {
    if (method !== 'GET' || url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    try {
      const text = await render();
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
    } catch {
      response.writeHead(503).end();
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(metricsPort, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://${host}:${port}/metrics`, close };
}
