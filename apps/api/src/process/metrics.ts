import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Connections } from '@quoin/db';

// Prometheus metrics, where METRICS=true: what the process, its requests, its pool and its jobs are doing. docs/operations.md says what
// to look at.

/** What is asked at the moment of a scrape. */
export interface Watched {
  connections: () => Connections;
  hashing: () => { running: number; waiting: number };
  /** How many rows wait to be worked on. Rejects where the database does not answer. */
  queues: () => Promise<Record<string, number>>;
}

const requestSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The metrics of this process. Loaded where they are used: they cost memory. */
export async function createMetrics() {
  const { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } = await import(
    'prom-client'
  );
  const registry = new Registry();
  // In a worker: answers the primary when that is asked for the metrics of all.
  AggregatorRegistry.setRegistries(registry);
  new AggregatorRegistry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const requests = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'From the first byte of a request to the last of its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: requestSeconds,
    registers,
  });
  const jobs = new Counter({
    name: 'quoin_job_runs_total',
    help: 'Runs of background jobs, by how they ended.',
    labelNames: ['job', 'outcome'],
    registers,
  });

  return {
    requestEnded: (method: string, route: string, status: number, seconds: number) =>
      requests.observe({ method, route, status }, seconds),

    jobEnded: (job: string, outcome: 'done' | 'failed') => jobs.inc({ job, outcome }),

    watch: ({ connections, hashing, queues }: Watched) => {
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
        ...connections(),
      }));
      gauge('quoin_password_hashing', 'Passwords that are being hashed, and that wait for it.', 'state', () => {
        const { running, waiting } = hashing();
        return { running, waiting };
      });
      new Gauge({
        name: 'quoin_job_queue',
        help: 'Rows that wait for a background job, of all processes together.',
        labelNames: ['queue'],
        registers,
        aggregator: 'max',
        async collect() {
          this.reset();
          const waiting = await queues().catch(() => ({}));
          for (const [queue, count] of Object.entries(waiting)) this.set({ queue }, count);
        },
      });
    },

    render: () => registry.metrics(),
  };
}

export type Metrics = Awaited<ReturnType<typeof createMetrics>>;

/** The metrics of all workers together, for the primary. */
export async function clusterMetrics(): Promise<() => Promise<string>> {
  const { AggregatorRegistry } = await import('prom-client');
  const aggregator = new AggregatorRegistry();
  return () => aggregator.clusterMetrics();
}

/** Serves `GET /metrics` on a port of its own, so that nobody can ask for them who can reach only the API. Resolves to its URL, and to what ends it. */
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
