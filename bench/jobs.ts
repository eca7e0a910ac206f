import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, migrations, type Scope } from '@quoin/db';
import { Type } from 'typebox';
import { createJobs } from '../apps/api/src/queue/jobs.ts';
import { createRunner } from '../apps/api/src/queue/runner.ts';
import { printHelp, startPostgres } from './tools.ts';

// Measures the job queue on a PostgreSQL server: enqueuing, running, and what running does to requests.

printHelp(`Usage: npm run -s bench:jobs

Enqueues 10,000 jobs in transactions of users beside plain inserts, runs 10,000 jobs that do nothing, and measures GET /users/me while the server
works off 10,000 mails to addresses without an account. Starts PostgreSQL, or uses the database of DATABASE_URL, which must be empty.
`);

const total = 10_000;
const clients = 8;
const port = 8124;

const url = process.env.DATABASE_URL ?? (await emptyDatabase());
const database = await connect(url, { poolMax: clients });
await migrations.upgrade(database);
const { id } = await database.system().users.create({ email: 'bench@example.com' });
const scope: Scope = {
  actor: { via: 'session', userId: id, sessionId: id, authenticatedAt: new Date() },
  owner: { userId: id },
  isAdmin: false,
};

const jobs = createJobs();
const kind = jobs.define({
  name: 'nothing',
  data: Type.Object({ n: Type.Number() }),
  concurrency: 4,
  batchSize: 20,
  run: async () => {},
});
const log = { info: () => {}, warn: console.warn, error: console.error };
const runner = createRunner({ database, jobs, log });

const perSecond = async (count: number, one: (n: number) => Promise<unknown>) => {
  let next = 0;
  const start = performance.now();
  const client = async () => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: clients }, client));
  return count / ((performance.now() - start) / 1000);
};

const rows: [what: string, result: string][] = [];
const note = (what: string, result: string) => {
  rows.push([what, result]);
  process.stderr.write(`${what}: ${result}\n`);
};

const plain = await perSecond(total, (n) => database.as(scope).tasks.create({ title: `Task ${n}` }));
const single = await perSecond(total, (n) => kind.enqueue(database.as(scope), [{ n }]));
await database.execute('truncate pgboss.job_common');
const inTransaction = await perSecond(total, (n) =>
  database.as(scope).transaction(async (repositories) => {
    await repositories.tasks.create({ title: `Task ${n}` });
    await kind.enqueue(repositories, [{ n }]);
  }),
);
const twoInserts = await perSecond(total, (n) =>
  database.as(scope).transaction(async ({ tasks }) => {
    await tasks.create({ title: `Task ${n}` });
    await tasks.create({ title: `Task ${n}` });
  }),
);
note('a task, alone', `${plain.toFixed(0)}/s`);
note('a job, alone', `${single.toFixed(0)}/s (${(single / plain).toFixed(2)})`);
note('two tasks in a transaction', `${twoInserts.toFixed(0)}/s`);
note('a task and a job in a transaction', `${inTransaction.toFixed(0)}/s (${(inTransaction / twoInserts).toFixed(2)})`);

const start = performance.now();
await runner.poll();
while ((await database.system().jobs.waiting(['nothing']))[0]?.due_at)
  await new Promise((done) => setTimeout(done, 50));
note('jobs that do nothing, one process', `${(total / ((performance.now() - start) / 1000)).toFixed(0)}/s`);
await runner.stop(5_000);
await measureRequests();
await database.close();
process.stdout.write(
  `| what | result |\n| --- | --- |\n${rows.map(([what, result]) => `| ${what} | ${result} |\n`).join('')}`,
);

async function measureRequests() {
  const server = spawn(process.execPath, ['apps/api/src/main.js'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      NODE_ENV: 'test',
      DATABASE_URL: url,
      HOST: '127.0.0.1',
      PORT: String(port),
      RATE_LIMIT: 'false',
      LOG_LEVEL: 'silent',
      SECRET_KEY: randomBytes(48).toString('base64'),
    },
  });
  try {
    await once(server.stdout, 'data');
    const api = `http://127.0.0.1:${port}/api/v1`;
    const post = async (path: string, body: object) => {
      const response = await fetch(`${api}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return response.json() as Promise<{ access_token: string }>;
    };
    const account = { email: 'reader@example.com', password: 'correct horse battery' };
    await post('/auth/register', account);
    const { access_token } = await post('/auth/login', { username: account.email, password: account.password });
    const times = async (isOver: () => boolean) => {
      const taken: number[] = [];
      const client = async () => {
        while (!isOver()) {
          const begun = performance.now();
          const response = await fetch(`${api}/users/me`, { headers: { authorization: `Bearer ${access_token}` } });
          await response.arrayBuffer();
          taken.push(performance.now() - begun);
        }
      };
      await Promise.all(Array.from({ length: 4 }, client));
      taken.sort((one, other) => one - other);
      const at = (share: number) => (taken[Math.floor(share * taken.length)] ?? 0).toFixed(1);
      return `${taken.length} requests, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
    };
    const until = (time: number) => () => performance.now() > time;
    await times(until(performance.now() + 2_000));
    note('GET /users/me without jobs', await times(until(performance.now() + 8_000)));

    await enqueueMails();
    let isDone = false;
    const begun = performance.now();
    const during = times(() => isDone);
    while ((await database.system().jobs.waiting(['send-mail']))[0]?.due_at)
      await new Promise((done) => setTimeout(done, 200));
    isDone = true;
    note('GET /users/me while 10,000 mails are worked off', await during);
    note('mails to addresses without an account', `${(total / ((performance.now() - begun) / 1000)).toFixed(0)}/s`);
  } finally {
    server.kill('SIGTERM');
    await once(server, 'exit');
  }
}

function enqueueMails() {
  return database.execute(`
    select quoin_enqueue(jsonb_agg(jsonb_build_object(
      'id', gen_random_uuid(), 'name', 'send-mail', 'policy', 'singleton', 'priority', 100, 'concurrency_key', 'nobody-' || n || '@example.com',
      'retry_limit', 5, 'retry_delay', 5, 'retry_delay_max', 900, 'expire_seconds', 300, 'heartbeat_seconds', 60, 'deletion_seconds', 600,
      'data', jsonb_build_object('kind', 'reset_password', 'recipient', 'nobody-' || n || '@example.com', 'data', '{}'::jsonb, 'caused_at', now(),
        'expires_at', now() + interval '1 hour', 'user_agent', null, 'ip_address', null, 'request_id', null))))
    from generate_series(1, ${total}) n`);
}

async function emptyDatabase(): Promise<string> {
  const admin = await connect(startPostgres().url);
  await admin.execute('drop database if exists quoin_bench_jobs');
  await admin.execute('create database quoin_bench_jobs');
  await admin.close();
  return startPostgres().url.replace(/[^/]+$/, 'quoin_bench_jobs');
}
